#include "core/escape.h"

#include "core/assert.h"

/* The character's bytes after the first are 10xxxxxx; the second is narrower after some first bytes, which rules out
 * overlong forms, surrogates and what lies beyond U+10FFFF. */
size_t
of_utf8_length(struct of_slice bytes)
{
    if (bytes.length == 0)
        return 0;
    const uint8_t *c = bytes.data;
    if (c[0] < 0x80)
        return 1;
    if (c[0] < 0xC2 || c[0] > 0xF4)
        return 0;
    size_t length = c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (length > bytes.length)
        return 0;
    uint8_t low = c[0] == 0xE0 ? 0xA0 : c[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = c[0] == 0xED ? 0x9F : c[0] == 0xF4 ? 0x8F : 0xBF;
    if (c[1] < low || c[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

static bool
terminal_acts_on(const uint8_t *c, size_t length)
{
    if (length == 1)
        return c[0] < 0x20 || c[0] == 0x7F;
    if (length == 2)
        return c[0] == 0xC2 && c[1] < 0xA0; /* C1 */
    if (length == 3 && c[0] == 0xE2)        /* U+2028 to U+202E, U+2066 to U+2069; U+200E and U+200F */
        return (c[1] == 0x80 && ((c[2] >= 0xA8 && c[2] <= 0xAE) || c[2] == 0x8E || c[2] == 0x8F)) ||
               (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
    return false;
}

static bool
must_escape(enum of_escape how, struct of_slice rest, size_t length)
{
    if (length == 0)
        return true;
    if (rest.data[0] == '\\')
        return rest.length > 1 && rest.data[1] == 'x';
    return how == OF_ESCAPE_TERMINAL && terminal_acts_on(rest.data, length);
}

static size_t
put(const uint8_t *bytes, size_t length, char *out)
{
    memcpy(out, bytes, length);
    return length;
}

static size_t
put_hex(const uint8_t *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++, out += 4) {
        memcpy(out, "\\x", 2);
        out[2] = digits[bytes[i] >> 4];
        out[3] = digits[bytes[i] & 15];
    }
    return 4 * length;
}

size_t
of_escape(enum of_escape how, struct of_slice bytes, char *out, size_t size)
{
    OF_ASSERT(size > 0);
    size_t written = 0;
    for (size_t at = 0; at < bytes.length;) {
        struct of_slice rest = of_slice_of(bytes.data + at, bytes.length - at);
        size_t length = of_utf8_length(rest);
        bool escaped = must_escape(how, rest, length);
        if (length == 0)
            length = 1;
        if (written + (escaped ? 4 * length : length) >= size)
            break;
        written += escaped ? put_hex(rest.data, length, out + written) : put(rest.data, length, out + written);
        at += length;
    }
    out[written] = '\0';
    return written;
}
