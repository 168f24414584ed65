#include "stages/letter.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/retry_header.h"

#define PREFIX "__orderflow.errors."

enum {
    TEXT_BYTES = 4096, /* for the values of our own headers */
    DIGEST_BYTES = 32,
};

struct of_letter {
    struct of_outgoing out;
    struct of_header *headers;
    uint32_t header_count, header_room;
    char *names; /* NUL-terminated copies of foreign header names */
    size_t names_length, names_room;
    char text[TEXT_BYTES];
    size_t text_length;
    uint8_t *packed; /* the retry header */
    size_t packed_room;
};

struct of_letter *
of_letter_create(void)
{
    return of_alloc(sizeof(struct of_letter));
}

void
of_letter_destroy(struct of_letter **letter)
{
    if (*letter == NULL)
        return;
    free((*letter)->headers);
    free((*letter)->names);
    free((*letter)->packed);
    free(*letter);
    *letter = NULL;
}

/* ---- headers ---- */

static void
add_header(struct of_letter *letter, const char *name, struct of_slice value)
{
    if (letter->header_count == letter->header_room) {
        letter->header_room = letter->header_room ? 2 * letter->header_room : 32;
        letter->headers = of_realloc_array(letter->headers, letter->header_room, sizeof *letter->headers);
    }
    letter->headers[letter->header_count++] = (struct of_header) { name, value };
}

static void add_text(struct of_letter *letter, const char *name, const char *format, ...) OF_PRINTF(3, 4);

/* A header of text; cut when the letter's text is full, which only a message can be long enough for. */
static void
add_text(struct of_letter *letter, const char *name, const char *format, ...)
{
    char *at = letter->text + letter->text_length;
    size_t left = sizeof letter->text - letter->text_length;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(at, left, format, args);
    va_end(args);
    OF_ASSERT(wanted >= 0);
    size_t length = (size_t)wanted < left ? (size_t)wanted : left - 1;
    letter->text_length += length;
    add_header(letter, name, of_slice_of(at, length));
}

static bool
is_ours(struct of_slice name)
{
    static const char prefix[] = PREFIX;
    size_t length = sizeof prefix - 1;
    return of_slice_equal(name, of_slice_str(OF_RETRY_HEADER_NAME))
           || (name.length >= length && memcmp(name.data, prefix, length) == 0);
}

/* The sink wants names as C strings. All are measured first, so that the copies do not move. False: there are too many. */
static bool
copy_headers(struct of_letter *letter, const struct of_chunk_ops *ops, const struct of_record *record)
{
    struct of_slice name, value;
    size_t bytes = 0;
    uint32_t count = 0;
    for (struct of_header_walk walk = { 0 }; ops->header(record, &walk, &name, &value);) {
        if (is_ours(name))
            continue;
        bytes += name.length + 1;
        if (++count > OF_LETTER_HEADERS_MOST)
            return false;
    }
    if (bytes > letter->names_room) {
        letter->names = of_realloc_array(letter->names, bytes, 1);
        letter->names_room = bytes;
    }
    letter->names_length = 0;
    for (struct of_header_walk walk = { 0 }; ops->header(record, &walk, &name, &value);) {
        if (is_ours(name))
            continue;
        char *copy = letter->names + letter->names_length;
        memcpy(copy, name.data, name.length);
        copy[name.length] = '\0';
        letter->names_length += name.length + 1;
        add_header(letter, copy, value);
    }
    return true;
}

static void
begin(struct of_letter *letter, enum of_destination destination, const struct of_record *record,
      const struct of_letter_facts *facts)
{
    letter->header_count = 0;
    letter->text_length = 0;
    letter->out = (struct of_outgoing) {
        .destination = destination,
        .partition = facts->origin.partition,
        .key = record->key,
        .value = record->value,
        .timestamp_ms = facts->now_ms,
    };
}

static const struct of_outgoing *
finish(struct of_letter *letter)
{
    letter->out.headers = letter->headers;
    letter->out.header_count = letter->header_count;
    return &letter->out;
}

/* ---- the two kinds ---- */

const struct of_outgoing *
of_letter_retry(struct of_letter *letter, const struct of_chunk_ops *ops, const struct of_record *record,
                const struct of_letter_facts *facts)
{
    begin(letter, OF_TO_RETRY, record, facts);
    if (!copy_headers(letter, ops, record))
        return NULL;
    struct of_retry_header header = {
        .group = facts->group,
        .origin_topic = facts->origin.topic,
        .origin_partition = facts->origin.partition,
        .origin_offset = facts->origin.offset,
        .origin_timestamp_ms = facts->origin.timestamp_ms,
        .attempts = facts->attempts,
        .due_ms = facts->due_ms,
        .first_failed_ms = facts->origin.first_failed_ms >= 0 ? facts->origin.first_failed_ms : facts->now_ms,
        .cause = facts->cause,
    };
    size_t bytes = of_retry_header_bytes(&header);
    if (bytes > letter->packed_room) {
        letter->packed = of_realloc_array(letter->packed, bytes, 1);
        letter->packed_room = bytes;
    }
    size_t written = of_retry_header_encode(&header, letter->packed, letter->packed_room);
    OF_ASSERT(written == bytes);
    add_header(letter, OF_RETRY_HEADER_NAME, of_slice_of(letter->packed, written));
    return finish(letter);
}

static void
add_digest(struct of_letter *letter, const char *name, const char *bytes_name, struct of_slice *payload)
{
    if (payload->data == NULL || payload->length <= OF_LETTER_KEPT_BYTES)
        return;
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    unsigned length = sizeof digest;
    int done = EVP_Digest(payload->data, payload->length, digest, &length, EVP_sha256(), NULL);
    OF_ASSERT(done == 1 && length == sizeof digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    add_text(letter, name, "%s", hex);
    add_text(letter, bytes_name, "%zu", payload->length);
    payload->length = OF_LETTER_KEPT_BYTES;
}

static void
add_facts(struct of_letter *letter, const struct of_letter_facts *facts)
{
    const struct of_origin *origin = &facts->origin;
    int64_t first_failed_ms = origin->first_failed_ms >= 0 ? origin->first_failed_ms : facts->now_ms;
    add_header(letter, PREFIX "topic", origin->topic);
    add_text(letter, PREFIX "partition", "%" PRId32, origin->partition);
    add_text(letter, PREFIX "offset", "%" PRId64, origin->offset);
    add_text(letter, PREFIX "timestamp", "%" PRId64, origin->timestamp_ms);
    add_header(letter, PREFIX "group", facts->group);
    add_text(letter, PREFIX "attempts", "%" PRIu32, facts->attempts);
    add_text(letter, PREFIX "class", "%s", of_cause_class_name(of_cause_class(facts->cause)));
    add_text(letter, PREFIX "cause", "%s", of_cause_name(facts->cause));
    add_text(letter, PREFIX "stage", "%s", facts->stage);
    add_text(letter, PREFIX "first_failed", "%" PRId64, first_failed_ms);
    add_text(letter, PREFIX "last_failed", "%" PRId64, facts->now_ms);
    char schema[OF_SCHEMA_KEY_TEXT_BYTES];
    if (facts->has_schema_id)
        add_text(letter, PREFIX "schema_id", "%s", of_schema_key_print(facts->schema_id, schema));
}

const struct of_outgoing *
of_letter_dead(struct of_letter *letter, const struct of_chunk_ops *ops, const struct of_record *record,
               const struct of_letter_facts *facts, enum of_letter_size size)
{
    begin(letter, OF_TO_DEAD_LETTER, record, facts);
    if (size < OF_LETTER_OWN_HEADERS && !copy_headers(letter, ops, record))
        return NULL;
    add_facts(letter, facts);
    if (size < OF_LETTER_NO_MESSAGE)
        add_text(letter, PREFIX "message", "%s", facts->message);
    if (size >= OF_LETTER_DIGEST) {
        add_digest(letter, PREFIX "value_sha256", PREFIX "value_bytes", &letter->out.value);
        add_digest(letter, PREFIX "key_sha256", PREFIX "key_bytes", &letter->out.key);
    }
    return finish(letter);
}
