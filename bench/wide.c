#include "wide.h"

#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/failure.h"

enum { BODY_BYTES = 2048 };

#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define PLAIN(n)                                                                                                       \
    F("i" n, "\"int\"") "," F("l" n, "\"long\"") "," F("d" n, "\"double\"") "," F("s" n, "\"string\"") ","               \
    F("b" n, "\"boolean\"") "," F("u" n, "[\"null\",\"string\"]")
#define NESTED(n)                                                                                                      \
    F("r" n, "{\"type\":\"record\",\"name\":\"R" n "\",\"fields\":[" F("street", "\"string\"") "," F("zip", "\"int\"") ","  \
             F("at", "{\"type\":\"record\",\"name\":\"P" n "\",\"fields\":[" F("x", "\"double\"") "," F("y", "\"double\"")   \
             "]}") "]}")

const char bench_wide_schema[] =
    "{\"type\":\"record\",\"name\":\"Wide\",\"fields\":[" F("orderId", "\"string\"") "," PLAIN("1") "," NESTED("1") "," PLAIN(
        "2") "," F("tags", "{\"type\":\"array\",\"items\":\"string\"}") "," F("product", "\"string\"") "," PLAIN("3") "," F(
        "kind", "{\"type\":\"enum\",\"name\":\"K\",\"symbols\":[\"A\",\"B\",\"C\"]}") "," NESTED("2") "," F(
        "more", "{\"type\":\"map\",\"values\":\"long\"}") "," PLAIN("4") "," F(
        "hash", "{\"type\":\"fixed\",\"name\":\"H\",\"size\":16}") "," PLAIN("5") "," F("price", "\"double\"") "," F(
        "note", "\"bytes\"") "]}";

static uint64_t
random_number(void)
{
    static uint64_t seed = 9;
    return of_failure_mix(seed += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
}

static void fill(avro_value_t *value);

static void
fill_parts(avro_value_t *value, avro_type_t type)
{
    avro_value_t part;
    if (type == AVRO_UNION) {
        OF_ASSERT(avro_value_set_branch(value, (int)(random_number() % 2), &part) == 0);
        fill(&part);
        return;
    }
    size_t count = type == AVRO_RECORD ? 0 : 2 + random_number() % 3;
    if (type == AVRO_RECORD)
        avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%zu", i);
        int status = type == AVRO_RECORD  ? avro_value_get_by_index(value, i, &part, NULL)
                     : type == AVRO_ARRAY ? avro_value_append(value, &part, NULL)
                                          : avro_value_add(value, key, &part, NULL, NULL);
        OF_ASSERT(status == 0);
        fill(&part);
    }
}

static void
fill(avro_value_t *value)
{
    char text[24] = "abcdefghijklmnopqrstuvw";
    uint64_t bits = random_number() >> random_number() % 64;
    size_t length = random_number() % 20;
    avro_type_t type = avro_value_get_type(value);
    switch (type) {
    case AVRO_NULL: avro_value_set_null(value); break;
    case AVRO_BOOLEAN: avro_value_set_boolean(value, (int)(bits & 1)); break;
    case AVRO_INT32: avro_value_set_int(value, (int32_t)(bits & INT32_MAX)); break;
    case AVRO_INT64: avro_value_set_long(value, (int64_t)bits); break;
    case AVRO_DOUBLE: avro_value_set_double(value, (double)bits / 100); break;
    case AVRO_BYTES: avro_value_set_bytes(value, text, length); break;
    case AVRO_STRING:
        text[length] = '\0';
        avro_value_set_string_len(value, text, length + 1);
        break;
    case AVRO_ENUM: avro_value_set_enum(value, (int)(bits % 3)); break;
    case AVRO_FIXED: avro_value_set_fixed(value, text, 16); break;
    default: fill_parts(value, type);
    }
}

void
bench_wide_make(struct bench_wide *wide, uint32_t count)
{
    avro_schema_t schema;
    avro_value_t record;
    OF_ASSERT(avro_schema_from_json_length(bench_wide_schema, strlen(bench_wide_schema), &schema) == 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    wide->count = count;
    wide->bodies = of_alloc_array(count, sizeof *wide->bodies);
    wide->broken = of_alloc_array(count, sizeof *wide->broken);
    wide->bytes = of_alloc_array(count, 2 * BODY_BYTES);
    uint8_t *at = wide->bytes;
    for (uint32_t i = 0; i < count; i++) {
        OF_ASSERT(avro_generic_value_new(class, &record) == 0);
        fill(&record);
        avro_writer_t writer = avro_writer_memory((const char *)at, BODY_BYTES);
        OF_ASSERT(avro_value_write(writer, &record) == 0);
        size_t length = (size_t)avro_writer_tell(writer);
        avro_writer_free(writer);
        avro_value_decref(&record);
        wide->bodies[i] = of_slice_of(at, length);
        memcpy(at + length, at, length);
        at[length + random_number() % length] = (uint8_t)random_number();
        wide->broken[i] = of_slice_of(at + length, length);
        at += 2 * length;
    }
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
}

void
bench_wide_free(struct bench_wide *wide)
{
    free(wide->bodies);
    free(wide->broken);
    free(wide->bytes);
}
