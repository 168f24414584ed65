#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void
bench_command_begin(struct bench_command *command, const char *name, const char *brokers, const char *registry,
                    const char *topic)
{
    *command = (struct bench_command) { .count = 0 };
    bench_command_add(command, BENCH_ORDERFLOW);
    bench_command_add(command, "%s", name);
    bench_command_add(command, "--brokers=%s", brokers);
    bench_command_add(command, "--registry=%s", registry);
    bench_command_add(command, "--topic=%s", topic);
    bench_command_add(command, "--log-level=warning");
}

void
bench_command_add(struct bench_command *command, const char *format, ...)
{
    if (command->count == BENCH_ARGUMENTS)
        return;
    char *text = command->text[command->count];
    va_list args;
    va_start(args, format);
    vsnprintf(text, BENCH_ARGUMENT_BYTES, format, args);
    va_end(args);
    command->arguments[command->count++] = text;
}

void
bench_command_add_properties(struct bench_command *command, const struct of_options *options)
{
    for (size_t i = 0; i < options->property_count; i++) {
        bench_command_add(command, "-X");
        bench_command_add(command, "%s=%s", options->properties[i].name, options->properties[i].value);
    }
}

void
bench_command_add_operands(struct bench_command *command, const struct of_options *options)
{
    for (size_t i = 0; i < options->operand_count; i++)
        bench_command_add(command, "%s", options->operands[i]);
}

int
bench_command_exec(void *context)
{
    struct bench_command *command = context;
    execv(command->arguments[0], command->arguments);
    perror(command->arguments[0]);
    return 127;
}
