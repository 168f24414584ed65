/* Plans against what an implementation of Avro that is not ours reads: files of vectors made by generate.py.
 *
 *     avro_vectors FILE...
 *
 * For each record the three fields must be the same, to the last digit, and where the other refuses the plan must, at
 * compile time or for that record. Every body is also read cut short, with bytes behind it and with bytes changed: no
 * result may depend on memory beyond it (the sanitizers look), and an explanation must exist for each refusal. */
#include <jansson.h>
#include <stdlib.h>

#include "avro/plan.h"
#include "core/assert.h"
#include "core/memory.h"
#include "order/exact_sum.h"
#include "support/random.h"

enum { BODY_BYTES = 1 << 16, LINE_BYTES = 1 << 20, CHANGES = 6, SHOWN_MAX = 20 };

struct counts {
    uint64_t schemas, records, read, refused, uncompared, hostile, wrong;
};

static uint64_t
random_number(void)
{
    static uint64_t seed = 5;
    return random_next(&seed);
}

static const char *
text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static size_t
from_hex(const char *hex, uint8_t *bytes)
{
    size_t length = 0;
    unsigned byte;
    for (; hex[2 * length] != '\0'; length++) {
        OF_ASSERT(length < BODY_BYTES && sscanf(hex + 2 * length, "%2x", &byte) == 1);
        bytes[length] = (uint8_t)byte;
    }
    return length;
}

static void
complain(struct counts *counts, const json_t *line, const json_t *record, const char *what, const char *detail)
{
    if (counts->wrong++ >= SHOWN_MAX)
        return;
    fprintf(stderr, "%s: %s\n  writer %s\n  reader %s\n  record %s\n", what, detail, text_at(line, "writer"),
            text_at(line, "reader") != NULL ? text_at(line, "reader") : "none",
            record != NULL ? json_dumps(record, JSON_COMPACT) : "none");
}

static void
value_text(const struct of_decoded *order, char *text, size_t size)
{
    struct of_exact_sum sum = { 0 };
    if (order->kind == OF_VALUE_SCALED)
        of_exact_sum_add_scaled(&sum, order->scaled, order->scale);
    else
        of_exact_sum_add(&sum, order->value);
    char *exact = of_exact_sum_decimal(&sum);
    snprintf(text, size, "%s", exact);
    free(exact);
    of_exact_sum_fini(&sum);
}

static void
bytes_text(struct of_slice bytes, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < bytes.length && 2 * i + 2 < size; i++)
        snprintf(text + 2 * i, size - 2 * i, "%02x", bytes.data[i]);
}

/* From memory of exactly that size. */
static enum of_decode_result
decode_exactly(const struct of_plan *plan, const uint8_t *body, size_t length, struct of_decoded *order, char why[400])
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    OF_ASSERT(copy != NULL);
    memcpy(copy, body, length);
    enum of_decode_result result = of_plan_decode(plan, of_slice_of(copy, length), order);
    OF_ASSERT(of_plan_explain(plan, of_slice_of(copy, length), why, 400) == why && *why != '\0');
    free(copy);
    return result;
}

static void
read_hostile(struct counts *counts, const struct of_plan *plan, uint8_t *body, size_t length, bool good)
{
    struct of_decoded order;
    char why[400];
    for (size_t cut = 0; cut < length; cut += 1 + cut / 16)
        if (decode_exactly(plan, body, cut, &order, why) == OF_DECODE_OK)
            counts->wrong += good; /* a whole record within a whole record: impossible */
    body[length] = (uint8_t)random_number();
    if (good && decode_exactly(plan, body, length + 1, &order, why) != OF_DECODE_TRAILING_BYTES)
        counts->wrong++;
    for (int i = 0; i < CHANGES && length > 0; i++) {
        size_t at = random_number() % length;
        uint8_t kept = body[at];
        body[at] = (uint8_t)random_number();
        OF_ASSERT(decode_exactly(plan, body, length, &order, why) < OF_DECODE_RESULT_COUNT);
        body[at] = kept;
    }
    counts->hostile += length + CHANGES;
}

/* Where implementations differ for a reason: see refused_record in generate.py. */
static bool
may_be_either(const json_t *record)
{
    const char *mark = text_at(record, "record_for_record");
    return mark != NULL && strcmp(mark, "union") == 0;
}

static void
compare(struct counts *counts, const json_t *line, const json_t *record, const struct of_plan *plan,
        const struct of_error *err)
{
    static uint8_t body[BODY_BYTES + 1];
    static char value[4096], group[4096], id[4096];
    const char *error = text_at(record, "error");
    size_t length = from_hex(text_at(record, "body"), body);
    struct of_decoded order;
    char why[400];
    counts->records++;
    if (plan == NULL) {
        counts->refused++;
        if (error == NULL && may_be_either(record))
            counts->uncompared++;
        else if (error == NULL)
            complain(counts, line, record, "no plan", err->text);
        return;
    }
    enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, length), &order);
    if (result == OF_DECODE_OK) {
        value_text(&order, value, sizeof value);
        bytes_text(order.group, group, sizeof group);
        bytes_text(order.id, id, sizeof id);
    }
    if (may_be_either(record) && (result == OF_DECODE_OK) != (error == NULL))
        counts->uncompared++;
    else if (result == OF_DECODE_OK && error != NULL)
        complain(counts, line, record, "read although it should not be", value);
    else if (result != OF_DECODE_OK && error == NULL)
        complain(counts, line, record, "not read", of_plan_explain(plan, of_slice_of(body, length), why, sizeof why));
    else if (result == OF_DECODE_OK && (strcmp(value, text_at(record, "value")) != 0 ||
                                        strcmp(group, text_at(record, "group")) != 0 ||
                                        strcmp(id, text_at(record, "id")) != 0))
        complain(counts, line, record, "read as something else", value);
    counts->read += result == OF_DECODE_OK;
    counts->refused += result != OF_DECODE_OK;
    read_hostile(counts, plan, body, length, result == OF_DECODE_OK);
}

static void
check_line(struct counts *counts, const json_t *line)
{
    const json_t *names = json_object_get(line, "fields");
    const struct of_plan_fields fields = {
        .value = json_string_value(json_array_get(names, 0)),
        .group_by = json_string_value(json_array_get(names, 1)),
        .id = json_string_value(json_array_get(names, 2)),
        .reader_schema = text_at(line, "reader"),
    };
    struct of_plan *plan;
    struct of_error err = { 0 };
    if (of_plan_compile(of_slice_str(text_at(line, "writer")), &fields, 1 << 20, &plan, &err) != OF_OK &&
        err.text[0] == '\0')
        complain(counts, line, NULL, "no plan", "and no reason");
    const json_t *records = json_object_get(line, "records");
    for (size_t i = 0; i < json_array_size(records); i++)
        compare(counts, line, json_array_get(records, i), plan, &err);
    of_plan_destroy(&plan);
    counts->schemas++;
}

static bool
check_file(struct counts *counts, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    char *text = of_alloc(LINE_BYTES);
    while (fgets(text, LINE_BYTES, file) != NULL) {
        json_t *line = json_loads(text, 0, NULL);
        OF_ASSERT(line != NULL);
        check_line(counts, line);
        json_decref(line);
    }
    free(text);
    fclose(file);
    return true;
}

int
main(int argc, char **argv)
{
    struct counts counts = { 0 };
    bool all_there = argc > 1;
    for (int i = 1; i < argc; i++)
        all_there = check_file(&counts, argv[i]) && all_there;
    printf("%llu schemas, %llu records: %llu read, %llu refused, %llu not compared; %llu hostile bodies; %llu wrong\n",
           (unsigned long long)counts.schemas, (unsigned long long)counts.records, (unsigned long long)counts.read,
           (unsigned long long)counts.refused, (unsigned long long)counts.uncompared,
           (unsigned long long)counts.hostile, (unsigned long long)counts.wrong);
    return all_there && counts.read > 0 && counts.refused > 0 && counts.wrong == 0 ? 0 : 1;
}
