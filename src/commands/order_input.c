#include "commands/order_input.h"

#include <errno.h>

enum of_status
of_order_input_open(struct of_order_input *input, const char *name, uint64_t count, uint64_t seed, uint64_t first_id,
                    struct of_error *err)
{
    *input = (struct of_order_input) { .left = count };
    of_generator_init(&input->generator, seed, first_id);
    if (name == NULL)
        return OF_OK;
    bool standard = strcmp(name, "-") == 0;
    input->name = standard ? "standard input" : name;
    input->file = standard ? stdin : fopen(name, "re");
    if (input->file == NULL)
        return of_error_set(err, OF_FATAL, "%s: cannot be opened: %s", name, strerror(errno));
    enum of_status status = of_rows_open(&input->rows, input->file, standard ? NULL : name, err);
    if (status == OF_OK)
        return OF_OK;
    of_order_input_close(input);
    return of_error_prefix(err, "%s", input->name);
}

enum of_status
of_order_input_next(struct of_order_input *input, struct of_order *order, struct of_error *err)
{
    if (input->left == 0)
        return OF_AGAIN;
    input->left--;
    if (input->file == NULL) {
        of_generator_next(&input->generator, order);
        return OF_OK;
    }
    enum of_status status = of_rows_next(input->rows, order, err);
    return status == OF_FATAL ? of_error_prefix(err, "%s", input->name) : status;
}

void
of_order_input_close(struct of_order_input *input)
{
    of_rows_close(&input->rows);
    if (input->file != NULL && input->file != stdin)
        fclose(input->file);
    input->file = NULL;
}
