/* Any bytes as what a broker says in a SCRAM exchange: two messages, parted by a zero byte. It never succeeds: that
 * takes the password. */
#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "kafka/direct/sasl.h"

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const char *const seeds[] = {
        "r=nonce-more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=nonce-more,s=W22Z,i=4096,x=extension",
        "e=other-error",
    };
    if (index >= sizeof seeds / sizeof *seeds)
        return 0;
    size_t length = strlen(seeds[index]);
    OF_ASSERT(length + 3 <= size);
    memcpy(bytes, seeds[index], length);
    memcpy(bytes + length, "\0v=", 3);
    return length + 3;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct of_direct_settings settings = {
        .sasl = OF_SASL_SCRAM_SHA_256, .username = "a,b=c", .password = "p",
    };
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = zero != NULL ? (size_t)(zero - data) : size;
    struct of_error err = { 0 };
    struct of_slice answer;
    struct of_sasl *sasl = of_sasl_create(&settings, "nonce");
    enum of_status status = of_sasl_step(sasl, of_slice_of(NULL, 0), &answer, &err);
    OF_ASSERT(status == OF_AGAIN);
    status = of_sasl_step(sasl, of_slice_of(data, first), &answer, &err);
    if (status == OF_AGAIN)
        status = of_sasl_step(sasl, zero != NULL ? of_slice_of(zero + 1, size - first - 1) : of_slice_of("", 0), &answer, &err);
    OF_ASSERT(status == OF_RETRY && err.text[0] != '\0');
    of_sasl_destroy(&sasl);
    return 0;
}
