/* The properties of librdkafka that delivery depends on, and that therefore nobody sets but the program itself. */
#ifndef OF_COMMANDS_REFUSED_PROPERTIES_H
#define OF_COMMANDS_REFUSED_PROPERTIES_H

/* Why the property must not be set to this value, or which option sets it; NULL when it may. Static text. */
const char *of_refused_property(const char *name, const char *value);

#endif
