#include "commands/order_input.h"

#include <errno.h>
#include <sys/stat.h>

enum { RANDOM_COLUMNS = 3 };

static const char *const random_names[RANDOM_COLUMNS] = { "orderId", "product", "price" };

static enum of_status
check_random(const struct of_order_input *input, struct of_error *err)
{
    for (size_t i = 0; i < input->column_count; i++) {
        const struct of_column *column = &input->columns[i];
        bool there = !column->required;
        for (size_t k = 0; k < RANDOM_COLUMNS; k++)
            there = there || strcmp(column->name, random_names[k]) == 0;
        if (!there)
            return of_error_set(err, OF_FATAL,
                                "random orders have no column \"%s\", which the schema wants: give --file",
                                column->name);
    }
    return OF_OK;
}

enum of_status
of_order_input_open(struct of_order_input *input, const struct of_order_input_options *options, struct of_error *err)
{
    const char *name = options->name;
    *input = (struct of_order_input) {
        .left = options->count,
        .columns = options->columns,
        .column_count = options->column_count,
    };
    of_generator_init(&input->generator, options->seed, options->first_id);
    if (name == NULL)
        return check_random(input, err);
    bool standard = strcmp(name, "-") == 0;
    input->name = standard ? "standard input" : name;
    input->file = standard ? stdin : fopen(name, "re");
    if (input->file == NULL)
        return of_error_set(err, OF_FATAL, "%s: cannot be opened: %s", name, strerror(errno));
    enum of_status status = of_rows_open(&input->rows, input->file, standard ? NULL : name, options->columns,
                                         options->column_count, err);
    if (status == OF_OK)
        return OF_OK;
    of_order_input_close(input);
    return of_error_prefix(err, "%s", input->name);
}

static void
make_random(struct of_order_input *input, struct of_cell *cells)
{
    struct of_order order;
    of_generator_next(&input->generator, &order);
    const struct of_cell made[RANDOM_COLUMNS] = {
        of_cell_text(order.id),
        of_cell_text(order.product),
        of_cell_real((double)order.price),
    };
    for (size_t i = 0; i < input->column_count; i++) {
        cells[i] = (struct of_cell) { .kind = OF_CELL_MISSING };
        for (size_t k = 0; k < RANDOM_COLUMNS; k++)
            if (strcmp(input->columns[i].name, random_names[k]) == 0)
                cells[i] = made[k];
    }
}

enum of_status
of_order_input_next(struct of_order_input *input, struct of_cell *cells, struct of_error *err)
{
    if (input->left == 0)
        return OF_AGAIN;
    input->left--;
    if (input->file == NULL) {
        make_random(input, cells);
        return OF_OK;
    }
    enum of_status status = of_rows_next(input->rows, cells, err);
    return status == OF_FATAL ? of_error_prefix(err, "%s", input->name) : status;
}

enum of_status
of_order_input_blame(const struct of_order_input *input, struct of_error *err)
{
    if (input->file == NULL)
        return err->status;
    struct of_error before = *err;
    return of_error_set(err, OF_FATAL, "%s: row at line %llu, %s", input->name,
                        (unsigned long long)of_rows_line(input->rows), before.text);
}

void
of_order_input_bytes(const struct of_order_input *input, uint64_t *done, uint64_t *all)
{
    struct stat about;
    *done = *all = 0;
    if (input->file == NULL || fstat(fileno(input->file), &about) != 0 || !S_ISREG(about.st_mode))
        return;
    off_t at = ftello(input->file);
    if (at >= 0 && about.st_size > 0) {
        *done = (uint64_t)at;
        *all = (uint64_t)about.st_size;
    }
}

void
of_order_input_close(struct of_order_input *input)
{
    of_rows_close(&input->rows);
    if (input->file != NULL && input->file != stdin)
        fclose(input->file);
    input->file = NULL;
}
