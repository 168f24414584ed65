#include <stdio.h>

#include "commands/commands.h"
#include "commands/settings.h"

int
of_command_produce(int argc, char **argv)
{
    struct of_command_line line;
    int status;
    if (!of_settings_load(&line, OF_COMMAND_PRODUCE, argc, argv, &status))
        return status;
    fprintf(stderr, "orderflow produce: not built yet\n");
    of_settings_fini(&line);
    return OF_EXIT_FAILED;
}
