/* SASL: the examples of RFC 7677, and brokers that do not know what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/direct/sasl.h"

static const char SERVER_FIRST[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const struct of_direct_settings user = {
    .sasl = OF_SASL_SCRAM_SHA_256, .username = "user", .password = "pencil",
};

static void
scram_is_that_of_the_rfc(void **state)
{
    (void)state;
    struct of_error err;
    struct of_slice answer;
    struct of_sasl *sasl = of_sasl_create(&user, "rOprNGfwEbeRWgbNEkqO");
    assert_int_equal(of_sasl_step(sasl, of_slice_of(NULL, 0), &answer, &err), OF_AGAIN);
    assert_true(of_slice_equal(answer, of_slice_str("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
    assert_int_equal(of_sasl_step(sasl, of_slice_str(SERVER_FIRST), &answer, &err), OF_AGAIN);
    assert_true(of_slice_equal(answer, of_slice_str(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
    assert_int_equal(of_sasl_step(sasl, of_slice_str("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &answer, &err),
                     OF_OK);
    of_sasl_destroy(&sasl);
}

static enum of_status
talk(const char *first, const char *final)
{
    struct of_error err;
    struct of_slice answer;
    struct of_sasl *sasl = of_sasl_create(&user, "rOprNGfwEbeRWgbNEkqO");
    enum of_status status = of_sasl_step(sasl, of_slice_of(NULL, 0), &answer, &err);
    assert_int_equal(status, OF_AGAIN);
    status = of_sasl_step(sasl, of_slice_str(first), &answer, &err);
    if (status == OF_AGAIN)
        status = of_sasl_step(sasl, of_slice_str(final), &answer, &err);
    of_sasl_destroy(&sasl);
    return status;
}

static void
a_broker_must_prove_itself(void **state)
{
    (void)state;
    assert_int_equal(talk(SERVER_FIRST, "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), OF_RETRY);
    assert_int_equal(talk(SERVER_FIRST, "v="), OF_RETRY);
    assert_int_equal(talk(SERVER_FIRST, ""), OF_RETRY);
    assert_int_equal(talk(SERVER_FIRST, "e=invalid-proof"), OF_RETRY);
    assert_int_equal(talk("r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ""), OF_RETRY);
    assert_int_equal(talk("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", ""), OF_RETRY);
    assert_int_equal(talk("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999", ""), OF_RETRY);
    assert_int_equal(talk("r=rOprNGfwEbeRWgbNEkqOx,s=!!!,i=4096", ""), OF_RETRY);
    assert_int_equal(talk("", ""), OF_RETRY);
}

static void
plain_is_user_and_password(void **state)
{
    (void)state;
    struct of_error err;
    struct of_slice answer;
    const struct of_direct_settings plain = { .sasl = OF_SASL_PLAIN, .username = "u", .password = "pw" };
    struct of_sasl *sasl = of_sasl_create(&plain, NULL);
    assert_int_equal(of_sasl_step(sasl, of_slice_of(NULL, 0), &answer, &err), OF_AGAIN);
    assert_true(of_slice_equal(answer, of_slice_of("\0u\0pw", 5)));
    assert_int_equal(of_sasl_step(sasl, of_slice_of("", 0), &answer, &err), OF_OK);
    of_sasl_destroy(&sasl);
}

static void
every_nonce_is_another(void **state)
{
    (void)state;
    struct of_error err;
    struct of_slice a, b;
    struct of_sasl *first = of_sasl_create(&user, NULL), *second = of_sasl_create(&user, NULL);
    assert_int_equal(of_sasl_step(first, of_slice_of(NULL, 0), &a, &err), OF_AGAIN);
    assert_int_equal(of_sasl_step(second, of_slice_of(NULL, 0), &b, &err), OF_AGAIN);
    assert_false(of_slice_equal(a, b));
    assert_true(a.length >= strlen("n,,n=user,r=") + 32);
    of_sasl_destroy(&first);
    of_sasl_destroy(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scram_is_that_of_the_rfc),
        cmocka_unit_test(a_broker_must_prove_itself),
        cmocka_unit_test(plain_is_user_and_password),
        cmocka_unit_test(every_nonce_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
