#include "ops/dashboard.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "core/assert.h"

extern const char of_embedded_dashboard[]; /* dashboard.html */

static const char place[] = "@NONCE@"; /* where the page wants the number */

enum { NONCE_BYTES = 16 };

static void
make_nonce(char nonce[2 * NONCE_BYTES + 1])
{
    uint8_t bytes[NONCE_BYTES];
    ssize_t got = getrandom(bytes, sizeof bytes, 0);
    OF_ASSERT(got == sizeof bytes);
    for (int i = 0; i < NONCE_BYTES; i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

void
of_dashboard_write(FILE *out, char policy[OF_DASHBOARD_POLICY_BYTES])
{
    char nonce[2 * NONCE_BYTES + 1];
    make_nonce(nonce);
    snprintf(policy, OF_DASHBOARD_POLICY_BYTES,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce, nonce);
    const char *at = of_embedded_dashboard;
    for (const char *next; (next = strstr(at, place)) != NULL; at = next + sizeof place - 1) {
        fwrite(at, 1, (size_t)(next - at), out);
        fputs(nonce, out);
    }
    fputs(at, out);
}
