/* What people see of a plan: its fields, its steps, and what is wrong with a body. */
#include <inttypes.h>

#include "avro/plan_private.h"

static const char *const op_names[] = {
#define X(kind, name) [OF_OP_##kind] = name,
    OF_PLAN_OPS(X)
#undef X
};

/* ---- results ---- */

const char *
of_decode_result_text(enum of_decode_result result)
{
    static const char *const texts[OF_DECODE_RESULT_COUNT] = {
        [OF_DECODE_OK] = "the value is well formed",
        [OF_DECODE_TRUNCATED] = "the value ends before its last field does",
        [OF_DECODE_OVERLONG_VARINT] = "a number has more bytes than its type allows",
        [OF_DECODE_INT_RANGE] = "an int does not fit in 32 bits",
        [OF_DECODE_NEGATIVE_LENGTH] = "a length is negative",
        [OF_DECODE_FIELD_TOO_LARGE] = "a string or bytes field is longer than max-field-bytes",
        [OF_DECODE_BAD_BOOLEAN] = "a boolean is neither 0 nor 1",
        [OF_DECODE_BAD_ENUM] = "an enum has an index that its schema does not have",
        [OF_DECODE_BAD_BRANCH] = "a union has an index that its schema does not have",
        [OF_DECODE_BAD_COUNT] = "an array or map has more items than the bytes left could hold",
        [OF_DECODE_TOO_DEEP] = "arrays, maps and records are nested too deeply",
        [OF_DECODE_NULL_FIELD] = "a field that is needed is null",
        [OF_DECODE_UNFIT] = "a branch or symbol cannot be read as what is wanted",
        [OF_DECODE_BAD_DECIMAL] = "a decimal has no bytes, or more than 127 bits",
        [OF_DECODE_TRAILING_BYTES] = "bytes follow the last field",
    };
    return (unsigned)result < OF_DECODE_RESULT_COUNT ? texts[result] : "unknown result";
}

const char *
of_plan_explain(const struct of_plan *plan, struct of_slice body, char *text, size_t size)
{
    struct of_decoded decoded;
    struct of_decode_fault fault;
    enum of_decode_result result = of_plan_decode_steps(plan, body, &decoded, &fault);
    const char *why = of_decode_result_text(result);
    if (result == OF_DECODE_OK) {
        snprintf(text, size, "%s", why);
    } else if (fault.op->kind == OF_OP_END) {
        snprintf(text, size, "byte %zu: %s", fault.offset, why);
    } else {
        const struct of_plan_field *field = &plan->fields[fault.op->field];
        bool told = fault.op->kind == OF_OP_UNFIT;
        snprintf(text, size, "field \"%.80s\" (%.80s), byte %zu: %s%s%.200s", field->path, field->type, fault.offset,
                 why, told ? ": " : "", told ? plan->texts[fault.op->to] : "");
    }
    return text;
}

/* ---- fields ---- */

void
of_plan_print_fields(const struct of_plan *plan, FILE *out)
{
    size_t paths = 5, types = 4;
    for (uint32_t i = 0; i < plan->field_count; i++) {
        const struct of_plan_field *field = &plan->fields[i];
        if (field->note == NULL)
            continue;
        paths = strlen(field->path) > paths ? strlen(field->path) : paths;
        types = strlen(field->type) > types ? strlen(field->type) : types;
    }
    paths = paths < 40 ? paths : 40;
    types = types < 40 ? types : 40;
    fprintf(out, "record %s\n", plan->name);
    for (uint32_t i = 0; i < plan->field_count; i++)
        if (plan->fields[i].note != NULL)
            fprintf(out, "  %-*s  %-*s  %s\n", (int)paths, plan->fields[i].path, (int)types, plan->fields[i].type,
                    plan->fields[i].note);
}

/* ---- steps ---- */

static bool
takes_nothing(uint8_t kind)
{
    return kind == OF_OP_BOOLEAN || kind == OF_OP_INT || kind == OF_OP_LONG || kind == OF_OP_BYTES ||
           kind == OF_OP_LOOP || kind == OF_OP_TEXTS || kind == OF_OP_OPTION || kind == OF_OP_NULL_FIELD;
}

static void
print_arguments(const struct of_plan *plan, const struct of_op *op, FILE *out)
{
    switch ((enum of_op_kind)op->kind) {
    case OF_OP_SKIP:
    case OF_OP_FIXED_DECIMAL: fprintf(out, " %" PRIu32 " bytes", op->count); break;
    case OF_OP_ITEMS: fprintf(out, " of %" PRIu32 " bytes each", op->count); break;
    case OF_OP_ENUM: fprintf(out, " of %" PRIu32, op->count); break;
    case OF_OP_UNION:
        for (uint32_t i = 0; i < op->count; i++)
            fprintf(out, " %" PRIu32 ":%" PRIu32, i, plan->targets[op->to + i]);
        break;
    case OF_OP_JUMP:
    case OF_OP_CALL:
    case OF_OP_NEXT: fprintf(out, " %" PRIu32, op->to); break;
    case OF_OP_BLOCK: fprintf(out, " or %" PRIu32, op->to); break;
    case OF_OP_UNFIT: fprintf(out, " %s", plan->texts[op->to]); break;
    default: break;
    }
    if ((op->roles & OF_ROLE_VALUE) && (op->kind == OF_OP_DECIMAL || op->kind == OF_OP_FIXED_DECIMAL))
        fprintf(out, " / 10^%u", op->scale);
    if ((op->roles & OF_ROLE_VALUE) && op->as == OF_AS_FLOAT)
        fprintf(out, " as float");
    for (int i = 0; i < OF_PLAN_ROLES; i++)
        if (op->roles & of_plan_roles[i].role)
            fprintf(out, " -> %s", of_plan_roles[i].name);
}

void
of_plan_print(const struct of_plan *plan, FILE *out)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < plan->op_count; i++) {
        const struct of_op *op = &plan->ops[i];
        bool last = op->kind == OF_OP_END || op->kind == OF_OP_RETURN;
        bool new_field = op->field != shown && !last;
        /* Nothing stands behind the name of a plain step: no column is needed. */
        bool alone = last || (!new_field && op->roles == 0 && takes_nothing(op->kind));
        fprintf(out, alone ? "%4" PRIu32 "  %s" : "%4" PRIu32 "  %-8s", i, op_names[op->kind]);
        print_arguments(plan, op, out);
        if (new_field)
            fprintf(out, "   # %s: %s", plan->fields[op->field].path, plan->fields[op->field].type);
        shown = op->field;
        fputc('\n', out);
    }
}
