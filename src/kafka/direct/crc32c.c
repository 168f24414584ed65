/* The instruction takes three cycles and can begin every cycle, so long inputs are taken as three streams at once. What
 * a stream comes to is carried over the bytes of the next by a multiplication in tables: appending N zero bytes to a
 * message is linear in its CRC.
 *
 * The bytes lie in the cache of the processor that received them, and three streams are more than the hardware looks
 * ahead for in time: so each round asks for the bytes of the next. Behind the end that does no harm. */
#include "kafka/direct/crc32c.h"

#include <pthread.h>

#include "core/memory.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define STEP_8(crc, value) _mm_crc32_u64((crc), (value))
#define STEP_1(crc, value) _mm_crc32_u8((uint32_t)(crc), (value))
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HARDWARE
#define STEP_8(crc, value) __crc32cd((uint32_t)(crc), (value))
#define STEP_1(crc, value) __crc32cb((uint32_t)(crc), (value))
#endif

enum { STREAM_BYTES = 1024 };
_Static_assert(STREAM_BYTES % OF_CACHE_LINE_BYTES == 0, "a stream is whole lines");
static const uint32_t POLYNOMIAL = UINT32_C(0x82f63b78); /* bits reversed */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t tables[8][256];  /* [k][b]: byte b, k bytes further on */
static uint32_t carries[4][256]; /* [k][b]: byte k of a CRC carried over STREAM_BYTES zeros */
static bool hardware;

static uint32_t
carry_bit(uint32_t crc)
{
    for (int i = 0; i < STREAM_BYTES; i++)
        crc = tables[0][crc & 0xff] ^ crc >> 8;
    return crc;
}

static void
make_carries(void)
{
    uint32_t bits[32];
    for (int bit = 0; bit < 32; bit++)
        bits[bit] = carry_bit(UINT32_C(1) << bit);
    for (int k = 0; k < 4; k++)
        for (int b = 0; b < 256; b++)
            for (int bit = 0; bit < 8; bit++)
                if (b >> bit & 1)
                    carries[k][b] ^= bits[8 * k + bit];
}

static void
make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            tables[k][b] = tables[0][tables[k - 1][b] & 0xff] ^ tables[k - 1][b] >> 8;
    make_carries();
#if defined(__x86_64__)
    hardware = __builtin_cpu_supports("sse4.2");
#elif defined(HARDWARE)
    hardware = true;
#endif
}

static uint64_t
little_8(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

uint32_t
of_crc32c_plain(struct of_slice bytes)
{
    pthread_once(&once, make_tables);
    const uint8_t *p = bytes.data;
    size_t left = bytes.length;
    uint32_t crc = ~UINT32_C(0);
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t eight = little_8(p) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= tables[7 - k][eight >> 8 * k & 0xff];
    }
    for (; left > 0; left--, p++)
        crc = tables[0][(crc ^ *p) & 0xff] ^ crc >> 8;
    return ~crc;
}

#ifdef HARDWARE
static uint32_t
carry(uint64_t crc)
{
    return carries[0][crc & 0xff] ^ carries[1][crc >> 8 & 0xff] ^ carries[2][crc >> 16 & 0xff] ^
           carries[3][crc >> 24 & 0xff];
}

HARDWARE static uint32_t
with_instruction(struct of_slice bytes)
{
    const uint8_t *p = bytes.data;
    size_t left = bytes.length;
    uint64_t crc = ~UINT32_C(0);
    for (; left >= 3 * STREAM_BYTES; left -= 3 * STREAM_BYTES, p += 3 * STREAM_BYTES) {
        uint64_t second = 0, third = 0;
        for (size_t line = 0; line < STREAM_BYTES; line += OF_CACHE_LINE_BYTES) {
            for (size_t stream = 3; stream < 6; stream++)
                __builtin_prefetch((const void *)((uintptr_t)p + stream * STREAM_BYTES + line));
            for (size_t i = line; i < line + OF_CACHE_LINE_BYTES; i += 8) {
                crc = STEP_8(crc, little_8(p + i));
                second = STEP_8(second, little_8(p + STREAM_BYTES + i));
                third = STEP_8(third, little_8(p + 2 * STREAM_BYTES + i));
            }
        }
        crc = carry(carry(crc) ^ second) ^ third;
    }
    for (; left >= 8; left -= 8, p += 8)
        crc = STEP_8(crc, little_8(p));
    for (; left > 0; left--, p++)
        crc = STEP_1(crc, *p);
    return ~(uint32_t)crc;
}
#endif

uint32_t
of_crc32c(struct of_slice bytes)
{
    pthread_once(&once, make_tables);
#ifdef HARDWARE
    if (hardware)
        return with_instruction(bytes);
#endif
    return of_crc32c_plain(bytes);
}
