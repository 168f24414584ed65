/* Any bytes: refused, or a header whose encoding is those very bytes. */
#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "order/retry_header.h"

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    struct of_retry_header headers[] = {
        { of_slice_str("g"), of_slice_str("t"), 0, 0, -1, 1, 0, 0, OF_CAUSE_NULL_VALUE },
        { of_slice_str("order-consumer-group"), of_slice_str("orders"), 2, 41, INT64_C(1700000000123), 3,
          INT64_C(1700000002623), INT64_C(1700000000623), OF_CAUSE_SIMULATED },
    };
    if (index >= sizeof headers / sizeof *headers)
        return 0;
    return of_retry_header_encode(&headers[index], bytes, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[OF_RETRY_HEADER_FIXED_BYTES + 2 * OF_RETRY_HEADER_TEXT_BYTES_MAX];
    struct of_retry_header header;
    if (!of_retry_header_parse(of_slice_of(data, size), &header))
        return 0;
    OF_ASSERT(of_retry_header_encode(&header, again, sizeof again) == size);
    OF_ASSERT(memcmp(again, data, size) == 0);
    return 0;
}
