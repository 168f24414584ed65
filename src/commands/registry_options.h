/* The settings in the shape that src/registry wants them.
 *
 * Secrets come from the environment, the configuration file or files of their own, never from the command line. Threads:
 * one at a time. */
#ifndef OF_COMMANDS_REGISTRY_OPTIONS_H
#define OF_COMMANDS_REGISTRY_OPTIONS_H

#include "commands/settings.h"
#include "registry/client.h"

/* Opens a client as the settings say. OF_FATAL: they contradict each other, or a file cannot be read. */
OF_MUST_USE enum of_status of_registry_open(const struct of_settings *settings, struct of_registry_client **out,
                                            struct of_error *err);

/* What no single option can tell: user and token together, a password without a user, a key without its certificate. */
OF_MUST_USE enum of_status of_registry_settings_check(const struct of_settings *settings, struct of_error *err);

#endif
