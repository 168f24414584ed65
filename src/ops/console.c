#include "ops/console.h"

const char *const of_console_mode_names[] = { "auto", "orders", "summary", "json", "none", NULL };
