/* Files that the build puts into the program (cmake/Embed.cmake). */
#ifndef OF_COMMANDS_EMBEDDED_H
#define OF_COMMANDS_EMBEDDED_H

extern const char of_embedded_order_schema[]; /* schemas/order.avsc, NUL-terminated */
extern const char of_embedded_aggregate_schema[]; /* schemas/aggregate.avsc, the same */

#endif
