#include "kafka/direct/sasl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

enum {
    TEXT_BYTES = 1024,
    NONCE_BYTES = 24,
    ITERATIONS_LEAST = 4096,   /* RFC 7677 */
    ITERATIONS_MOST = 1 << 20, /* a broker that asks for more wants our time */
};

enum step { FIRST, FINAL, VERIFY, DONE };

struct of_sasl {
    enum of_sasl_mechanism_kind mechanism;
    const char *username, *password;
    enum step step;
    char nonce[2 * NONCE_BYTES];
    char first_bare[TEXT_BYTES]; /* client-first-message-bare */
    char text[4 * TEXT_BYTES];   /* what is said */
    unsigned char server_signature[EVP_MAX_MD_SIZE];
    unsigned hash_bytes;
};

const char *
of_sasl_name(enum of_sasl_mechanism_kind mechanism)
{
    static const char *const names[] = { "none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };
    return names[mechanism];
}

static void
make_nonce(char *out)
{
    unsigned char random[NONCE_BYTES];
    OF_ASSERT(RAND_bytes(random, sizeof random) == 1);
    EVP_EncodeBlock((unsigned char *)out, random, sizeof random);
}

struct of_sasl *
of_sasl_create(const struct of_direct_settings *settings, const char *nonce)
{
    struct of_sasl *sasl = of_alloc(sizeof *sasl);
    sasl->mechanism = settings->sasl;
    sasl->username = settings->username;
    sasl->password = settings->password;
    if (nonce != NULL)
        snprintf(sasl->nonce, sizeof sasl->nonce, "%s", nonce);
    else
        make_nonce(sasl->nonce);
    return sasl;
}

void
of_sasl_destroy(struct of_sasl **sasl)
{
    if (*sasl == NULL)
        return;
    OPENSSL_cleanse(*sasl, sizeof **sasl);
    free(*sasl);
    *sasl = NULL;
}

static const EVP_MD *
hash_of(const struct of_sasl *sasl)
{
    return sasl->mechanism == OF_SASL_SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
}

static enum of_status
too_long(struct of_error *err)
{
    return of_error_set(err, OF_RETRY, "SASL: user name, password or the broker's message is too long");
}

/* ---- PLAIN ---- */

static enum of_status
step_plain(struct of_sasl *sasl, struct of_slice *answer, struct of_error *err)
{
    if (sasl->step == VERIFY) {
        sasl->step = DONE;
        return OF_OK;
    }
    size_t user = strlen(sasl->username), password = strlen(sasl->password);
    if (user > TEXT_BYTES || password > TEXT_BYTES)
        return too_long(err);
    sasl->text[0] = '\0';
    memcpy(sasl->text + 1, sasl->username, user);
    sasl->text[1 + user] = '\0';
    memcpy(sasl->text + 2 + user, sasl->password, password);
    *answer = of_slice_of(sasl->text, 2 + user + password);
    sasl->step = VERIFY;
    return OF_AGAIN;
}

/* ---- SCRAM ---- */

/* RFC 5802: "=" and "," stand for themselves nowhere in a name. */
static bool
escape_name(const char *name, char *out, size_t size)
{
    size_t at = 0;
    for (; *name != '\0'; name++) {
        if (at + 4 > size)
            return false;
        if (*name == ',' || *name == '=')
            at += (size_t)snprintf(out + at, size - at, "%s", *name == ',' ? "=2C" : "=3D");
        else
            out[at++] = *name;
    }
    out[at] = '\0';
    return true;
}

static enum of_status
say_first(struct of_sasl *sasl, struct of_slice *answer, struct of_error *err)
{
    char name[TEXT_BYTES / 2];
    if (!escape_name(sasl->username, name, sizeof name))
        return too_long(err);
    snprintf(sasl->first_bare, sizeof sasl->first_bare, "n=%s,r=%s", name, sasl->nonce);
    snprintf(sasl->text, sizeof sasl->text, "n,,%s", sasl->first_bare);
    *answer = of_slice_str(sasl->text);
    sasl->step = FINAL;
    return OF_AGAIN;
}

/* The value of the attribute, up to the next comma. */
static bool
attribute(const char *text, char name, char *out, size_t size)
{
    for (const char *at = text; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (at[0] != name || at[1] != '=')
            continue;
        size_t length = strcspn(at + 2, ",");
        if (length >= size)
            return false;
        memcpy(out, at + 2, length);
        out[length] = '\0';
        return true;
    }
    return false;
}

/* Base64 with its padding. Returns the length, or -1. */
static int
decode_base64(const char *text, unsigned char *out, size_t size)
{
    size_t length = strlen(text);
    if (length == 0 || length % 4 != 0 || length / 4 * 3 > size)
        return -1;
    int decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
    if (decoded < 0)
        return -1;
    return decoded - (text[length - 1] == '=') - (text[length - 2] == '=');
}

static void
hmac(const struct of_sasl *sasl, const unsigned char *key, size_t key_bytes, struct of_slice text, unsigned char *out)
{
    unsigned length;
    OF_ASSERT(HMAC(hash_of(sasl), key, (int)key_bytes, text.data, text.length, out, &length) != NULL);
}

struct server_first {
    char nonce[TEXT_BYTES];
    unsigned char salt[TEXT_BYTES];
    int salt_bytes;
    long iterations;
};

static bool
parse_server_first(const struct of_sasl *sasl, const char *said, struct server_first *first)
{
    char salt[TEXT_BYTES], iterations[16];
    if (!attribute(said, 'r', first->nonce, sizeof first->nonce) || !attribute(said, 's', salt, sizeof salt) ||
        !attribute(said, 'i', iterations, sizeof iterations))
        return false;
    first->salt_bytes = decode_base64(salt, first->salt, sizeof first->salt);
    first->iterations = strtol(iterations, NULL, 10);
    return first->salt_bytes > 0 && strncmp(first->nonce, sasl->nonce, strlen(sasl->nonce)) == 0 &&
           first->iterations >= ITERATIONS_LEAST && first->iterations <= ITERATIONS_MOST;
}

/* The proof that we know the password, and what the broker must show for its part. */
static void
prove(struct of_sasl *sasl, const struct server_first *first, struct of_slice auth_message, unsigned char *proof)
{
    unsigned char salted[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE], signature[EVP_MAX_MD_SIZE];
    unsigned bytes = sasl->hash_bytes = (unsigned)EVP_MD_get_size(hash_of(sasl));
    OF_ASSERT(PKCS5_PBKDF2_HMAC(sasl->password, (int)strlen(sasl->password), first->salt, first->salt_bytes,
                                (int)first->iterations, hash_of(sasl), (int)bytes, salted) == 1);
    hmac(sasl, salted, bytes, of_slice_str("Client Key"), key);
    OF_ASSERT(EVP_Digest(key, bytes, stored, NULL, hash_of(sasl), NULL) == 1);
    hmac(sasl, stored, bytes, auth_message, signature);
    for (unsigned i = 0; i < bytes; i++)
        proof[i] = key[i] ^ signature[i];
    hmac(sasl, salted, bytes, of_slice_str("Server Key"), key);
    hmac(sasl, key, bytes, auth_message, sasl->server_signature);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(key, sizeof key);
}

static enum of_status
say_final(struct of_sasl *sasl, const char *said, struct of_slice *answer, struct of_error *err)
{
    struct server_first first;
    if (!parse_server_first(sasl, said, &first))
        return of_error_set(err, OF_RETRY, "SASL: the broker's first message is not as RFC 5802 has it");
    char without_proof[TEXT_BYTES + 32], auth_message[4 * TEXT_BYTES];
    snprintf(without_proof, sizeof without_proof, "c=biws,r=%s", first.nonce);
    int length = snprintf(auth_message, sizeof auth_message, "%s,%s,%s", sasl->first_bare, said, without_proof);
    if (length < 0 || (size_t)length >= sizeof auth_message)
        return too_long(err);
    unsigned char proof[EVP_MAX_MD_SIZE];
    char encoded[2 * EVP_MAX_MD_SIZE];
    prove(sasl, &first, of_slice_str(auth_message), proof);
    EVP_EncodeBlock((unsigned char *)encoded, proof, (int)sasl->hash_bytes);
    snprintf(sasl->text, sizeof sasl->text, "%s,p=%s", without_proof, encoded);
    *answer = of_slice_str(sasl->text);
    sasl->step = VERIFY;
    return OF_AGAIN;
}

static enum of_status
verify(struct of_sasl *sasl, const char *said, struct of_error *err)
{
    char encoded[TEXT_BYTES];
    unsigned char signature[TEXT_BYTES];
    if (attribute(said, 'e', encoded, sizeof encoded))
        return of_error_set(err, OF_RETRY, "SASL: the broker refuses user %.100s: %.100s", sasl->username, encoded);
    if (!attribute(said, 'v', encoded, sizeof encoded) ||
        decode_base64(encoded, signature, sizeof signature) != (int)sasl->hash_bytes ||
        CRYPTO_memcmp(signature, sasl->server_signature, sasl->hash_bytes) != 0)
        return of_error_set(err, OF_RETRY, "SASL: the broker does not know the password of user %.100s itself",
                            sasl->username);
    sasl->step = DONE;
    return OF_OK;
}

enum of_status
of_sasl_step(struct of_sasl *sasl, struct of_slice said, struct of_slice *answer, struct of_error *err)
{
    if (sasl->mechanism == OF_SASL_PLAIN)
        return step_plain(sasl, answer, err);
    char text[2 * TEXT_BYTES];
    if (said.length >= sizeof text)
        return too_long(err);
    if (said.length > 0)
        memcpy(text, said.data, said.length);
    text[said.length] = '\0';
    switch (sasl->step) {
    case FIRST: return say_first(sasl, answer, err);
    case FINAL: return say_final(sasl, text, answer, err);
    case VERIFY: return verify(sasl, text, err);
    case DONE: break;
    }
    return OF_OK;
}
