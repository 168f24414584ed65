#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "avro/emit.h"
#include "core/memory.h"

/* Defaults of bytes and fixed are text whose characters U+0000 to U+00FF stand for bytes. False: it has others. */
static bool
bytes_of_text(const char *text, struct of_plan_constant *constant)
{
    size_t length = strlen(text), count = 0;
    uint8_t *bytes = of_alloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte >= 0x80) { /* jansson has checked that it is UTF-8 */
            if (byte > 0xc3) {
                free(bytes);
                return false;
            }
            byte = (uint8_t)(byte << 6 | ((uint8_t)text[++i] & 0x3f));
        }
        bytes[count++] = byte;
    }
    constant->text = (char *)bytes;
    constant->bytes = of_slice_of(bytes, count);
    return true;
}

static void
give_text(const char *text, struct of_plan_constant *constant)
{
    constant->text = of_strdup(text);
    constant->bytes = of_slice_str(constant->text);
}

static bool
make_decimal(const struct of_avro_schema *type, struct of_plan_constant *constant)
{
    struct of_slice bytes = constant->bytes;
    bool sized = type->type != OF_AVRO_FIXED || bytes.length == type->size;
    constant->kind = OF_VALUE_SCALED;
    constant->scale = (uint8_t)type->scale;
    return sized && of_decode_decimal(bytes, &constant->scaled);
}

static bool
make_number(const struct of_avro_schema *type, const json_t *initial, unsigned roles, struct of_plan_constant *constant)
{
    if (type->type == OF_AVRO_FLOAT || type->type == OF_AVRO_DOUBLE) {
        double number = json_number_value(initial);
        constant->value = type->type == OF_AVRO_FLOAT ? (double)(float)number : number;
        return json_is_number(initial);
    }
    json_int_t number = json_integer_value(initial);
    if (!json_is_integer(initial) || (type->type == OF_AVRO_INT && number != (int32_t)number))
        return false;
    constant->kind = type->type == OF_AVRO_LONG ? OF_VALUE_SCALED : OF_VALUE_BINARY;
    constant->scaled = number;
    constant->value = (double)number;
    if (roles & (OF_ROLE_GROUP | OF_ROLE_ID)) {
        char text[32];
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);
        give_text(text, constant);
    }
    return true;
}

static bool
is_symbol(const struct of_avro_schema *type, const char *symbol)
{
    for (uint32_t i = 0; i < type->count; i++)
        if (strcmp(type->symbols[i], symbol) == 0)
            return true;
    return false;
}

/* Sixteen bytes as the text of a uuid. */
static bool
make_uuid(struct of_plan_constant *constant)
{
    char text[OF_DECODED_SCRATCH_BYTES];
    if (constant->bytes.length != 16)
        return false;
    of_decode_uuid(constant->bytes.data, text);
    free(constant->text);
    give_text(text, constant);
    return true;
}

static bool
make_text(const struct of_avro_schema *type, const char *text, unsigned roles, struct of_plan_constant *constant)
{
    if (type->type == OF_AVRO_STRING || type->type == OF_AVRO_ENUM) {
        give_text(text, constant);
        return type->type == OF_AVRO_STRING || is_symbol(type, text);
    }
    if (!bytes_of_text(text, constant))
        return false;
    if (roles & OF_ROLE_VALUE)
        return make_decimal(type, constant);
    return type->type != OF_AVRO_FIXED || make_uuid(constant);
}

bool
of_plan_make_constant(const struct of_avro_schema *type, const struct json_t *initial, unsigned roles,
                      struct of_plan_constant *constant)
{
    *constant = (struct of_plan_constant) { .kind = OF_VALUE_BINARY };
    bool good = json_is_string(initial) ? type->type >= OF_AVRO_BYTES && type->type <= OF_AVRO_FIXED &&
                                              make_text(type, json_string_value(initial), roles, constant)
                                        : type->type >= OF_AVRO_INT && type->type <= OF_AVRO_DOUBLE &&
                                              make_number(type, initial, roles, constant);
    if (!good)
        free(constant->text);
    return good;
}

bool
of_plan_default_fits(const struct of_avro_schema *type, const struct json_t *initial)
{
    switch (type->type) {
    case OF_AVRO_NULL: return json_is_null(initial);
    case OF_AVRO_BOOLEAN: return json_is_boolean(initial);
    case OF_AVRO_INT:
    case OF_AVRO_LONG: return json_is_integer(initial);
    case OF_AVRO_FLOAT:
    case OF_AVRO_DOUBLE: return json_is_number(initial);
    case OF_AVRO_ARRAY: return json_is_array(initial);
    case OF_AVRO_MAP:
    case OF_AVRO_RECORD: return json_is_object(initial);
    case OF_AVRO_UNION: return false; /* none stands in another */
    default: return json_is_string(initial);
    }
}
