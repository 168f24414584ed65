#include <stdio.h>

#include "commands/commands.h"

int
of_command_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("orderflow %s\n", ORDERFLOW_VERSION);
    return OF_EXIT_DONE;
}
