/* Which properties the direct source understands, and which make it step aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/direct/settings.h"

enum { PROPERTIES_MOST = 6 };

static enum of_status
read(const struct of_kafka_property *properties, struct of_direct_settings *settings, struct of_error *err)
{
    struct of_kafka_options options = { .brokers = "b:1", .memory_bytes = 256 << 20, .properties = properties };
    while (options.property_count < PROPERTIES_MOST && properties[options.property_count].name != NULL)
        options.property_count++;
    return of_direct_settings_read(&options, settings, err);
}

static void
what_it_understands(void **state)
{
    (void)state;
    struct of_error err;
    struct of_direct_settings settings;
    static const struct of_kafka_property properties[] = {
        { "fetch.wait.max.ms", "77" }, { "fetch.min.bytes", "5" }, { "security.protocol", "SASL_SSL" },
        { "sasl.mechanism", "SCRAM-SHA-512" }, { "sasl.username", "u" }, { "sasl.password", "p" },
    };
    assert_int_equal(read(properties, &settings, &err), OF_OK);
    assert_int_equal(settings.wait_ms, 77);
    assert_int_equal(settings.min_bytes, 5);
    assert_true(settings.tls && settings.verify && settings.verify_host);
    assert_int_equal(settings.sasl, OF_SASL_SCRAM_SHA_512);
    static const struct of_kafka_property others[] = {
        { "session.timeout.ms", "9000" }, { "linger.ms", "5" }, { "sasl.username", "not in use" }, { NULL, NULL },
    };
    assert_int_equal(read(others, &settings, &err), OF_OK);
    assert_false(settings.tls);
    assert_int_equal(settings.sasl, OF_SASL_NONE);
    assert_true((size_t)settings.fetch_bytes * settings.slabs <= 16 << 20);
}

static void
what_makes_it_step_aside(void **state)
{
    (void)state;
    static const struct {
        struct of_kafka_property properties[PROPERTIES_MOST];
        const char *why;
    } rows[] = {
        { { { "security.protocol", "sasl_plaintext" } }, "GSSAPI" },
        { { { "security.protocol", "sasl_ssl" }, { "sasl.mechanisms", "OAUTHBEARER" } }, "OAUTHBEARER" },
        { { { "security.protocol", "sasl_ssl" }, { "sasl.mechanisms", "PLAIN" } }, "not given" },
        { { { "security.protocol", "ssl" }, { "ssl.keystore.location", "x" } }, "ssl.keystore.location" },
        { { { "ssl.cipher.suites", "x" } }, "ssl.cipher.suites" },
        { { { "broker.address.family", "v4" } }, "broker.address.family" },
        { { { "security.protocol", "sasl_plaintext" }, { "sasl.mechanism", "GSSAPI" } }, "GSSAPI" },
        { { { "sasl.kerberos.service.name", "kafka" } }, "sasl.kerberos.service.name" },
        { { { "sasl.oauthbearer.config", "x" } }, "sasl.oauthbearer.config" },
        { { { "enable.sasl.oauthbearer.unsecure.jwt", "true" } }, "enable.sasl.oauthbearer.unsecure.jwt" },
        { { { "ssl.ca.pem", "x" } }, "ssl.ca.pem" },
        { { { "ssl.crl.location", "x" } }, "ssl.crl.location" },
        { { { "ssl.engine.location", "x" } }, "ssl.engine.location" },
        { { { "api.version.request", "false" } }, "api.version.request" },
        { { { "broker.version.fallback", "0.10.0" } }, "broker.version.fallback" },
        { { { "client.rack", "r" } }, "client.rack" },
        { { { "plugin.library.paths", "x" } }, "plugin.library.paths" },
        { { { "test.mock.num.brokers", "3" } }, "test.mock.num.brokers" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct of_error err;
        struct of_direct_settings settings;
        assert_int_equal(read(rows[i].properties, &settings, &err), OF_POISON);
        assert_non_null(strstr(err.text, rows[i].why));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_understands),
        cmocka_unit_test(what_makes_it_step_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
