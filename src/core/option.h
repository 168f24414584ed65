/* Options from one table: flags, environment, configuration file, defaults and help.
 *
 * A program describes each of its options once (struct of_option). For a row named "retry-delay-ms" in a program with
 * the prefix "ORDERFLOW_" the value comes from, the first that is given:
 *
 *     flag          --retry-delay-ms 2000, --retry-delay-ms=2000 (bool: --name, --no-name, --name=true)
 *     environment   ORDERFLOW_RETRY_DELAY_MS=2000
 *     file          retry-delay-ms = 2000      (the file named by the option marked is_file)
 *     default       the row's
 *
 * and is stored, typed, at the row's offset in a struct of the caller. Of a flag given twice the last one counts; a key
 * given twice in the file is an error. Values are checked wherever they come from, also where a stronger source wins,
 * and also, in file and environment, for options of other commands: one file serves all commands.
 * Besides, properties for a library pass through as an ordered list: `-X name=value`, and `<prefix>name = value` in the
 * file; the file's come first, so that flags win.
 *
 * Errors: OF_FATAL with a text that names where the value stands, what is allowed, and the nearest known name.
 * Threads: one at a time. Nothing here prints but the help. */
#ifndef OF_CORE_OPTION_H
#define OF_CORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

enum of_option_type {
    OF_OPTION_STRING, /* const char *, never empty; NULL when there is no default */
    OF_OPTION_INT,    /* int64_t; OF_OPTION_NO_INT when there is no default */
    OF_OPTION_DOUBLE, /* double, always finite; NaN when there is no default */
    OF_OPTION_BOOL,   /* bool */
    OF_OPTION_CHOICE, /* int, the index in `choices` */
};

#define OF_OPTION_NO_INT INT64_MIN

/* In place of a command's number, which is less: the options of all of them. */
enum { OF_EVERY_COMMAND = 31 };

enum of_option_origin { OF_ORIGIN_DEFAULT, OF_ORIGIN_FILE, OF_ORIGIN_ENVIRONMENT, OF_ORIGIN_FLAG };

struct of_option {
    const char *name;
    enum of_option_type type;
    const char *section;     /* heading in the help */
    const char *initial;     /* the default as a user would write it; NULL: none */
    struct {
        uint32_t commands;   /* bits of those that have another default: */
        const char *initial;
    } differs;
    const char *placeholder; /* of the value in the help: "MS", "TOPIC"; also says the unit */
    const char *help;        /* one sentence in lower case, without a full stop */
    int64_t min, max;        /* INT: both allowed */
    double low, high;        /* DOUBLE: both allowed */
    const char *const *choices; /* CHOICE: NULL after the last */
    /* Further check of a value as text: what is wrong with it, or NULL. Called before the type's own checks. */
    const char *(*complaint)(const char *value);
    /* Writes the value without the passwords in it, and returns out; NULL: there can be none. */
    const char *(*show)(const char *value, char *out, size_t size);
    uint32_t commands; /* bit k: command k has this option */
    bool is_secret;    /* refused as a flag, which everybody on the machine can read, and never shown */
    bool is_file;      /* names the configuration file; cannot stand in it */
    size_t offset;     /* in the caller's struct */
};

/* All that the options of a program have in common. Constant. */
struct of_option_table {
    const struct of_option *options;
    size_t count;
    const char *const *commands;    /* names; command k is bit k; NULL after the last */
    const char *program;            /* "orderflow" */
    const char *environment_prefix; /* "ORDERFLOW_" */
    const char *property_prefix;    /* "kafka." */
    uint32_t property_commands;     /* the commands that take -X */
    /* Why a property must not be set to this value, or NULL. */
    const char *(*property_complaint)(const char *name, const char *value);
    bool (*property_is_secret)(const char *name); /* its value is never shown; NULL: all may be seen */
};

struct of_property {
    char *name, *value;
    enum of_option_origin origin;
    int line; /* in the file; 0: from a flag */
};

/* What was given, and where. Owns the strings in the caller's struct. */
struct of_options {
    const struct of_option_table *table;
    unsigned command; /* its number, or OF_EVERY_COMMAND */
    struct of_option_value *values; /* one per row of the table */
    struct of_property *properties; /* file first, then flags */
    size_t property_count;
    const char **operands; /* arguments that are no options; borrowed from argv */
    size_t operand_count;
    char **warnings; /* unknown environment variables: for the caller to log */
    size_t warning_count;
    bool help; /* -h or --help was given: nothing else has been looked at */
    bool collects;   /* set between init and load: what is wrong goes to `problems`, and reading goes on */
    char **problems; /* "orderflow.conf:3: unknown key 'tpoic'; did you mean 'topic'?" */
    size_t problem_count;
};

/* The option's default for this command; NULL: none. */
const char *of_option_initial(const struct of_option *option, unsigned command);

void of_options_init(struct of_options *options, const struct of_option_table *table, unsigned command);
void of_options_fini(struct of_options *options);

/* Reads all sources and fills `settings`. arguments: what follows the command's name, NULL after the last;
 * environment: as `environ`. */
OF_MUST_USE enum of_status of_options_load(struct of_options *options, const char *const *arguments,
                                           const char *const *environment, void *settings, struct of_error *err);

/* Deals with what is wrong as these options want it: collected, and OF_OK, or returned as it is. */
OF_MUST_USE enum of_status of_options_complain(struct of_options *options, enum of_status status,
                                               const struct of_error *err);

/* The row named so, with or without dashes before it, or as its environment variable; options->table->count: none. */
size_t of_options_index(const struct of_options *options, const char *name);

/* Where the value of row `index` stands, for people: "orderflow.conf:3: topic", "--topic", "ORDERFLOW_TOPIC", "topic
 * (default)". Returns out. */
const char *of_options_place(const struct of_options *options, size_t index, char *out, size_t size);

/* The same for a property: "orderflow.conf:3: kafka.acks", "-X acks". */
const char *of_options_property_place(const struct of_options *options, const struct of_property *property, char *out,
                                      size_t size);

/* All there is to say about row `index`: help, type, range, unit, default, names, the commands that have it, and the
 * present value with its place. */
void of_options_explain(const struct of_options *options, size_t index, FILE *out);

/* Where the value of the option comes from; the name must be one of the table. */
enum of_option_origin of_options_origin(const struct of_options *options, const char *name);

/* The value of row `index` as text, as it was given or its default; NULL: none. */
const char *of_options_text(const struct of_options *options, size_t index);

/* The value as it may be shown to anybody: "***" for a secret, without the passwords in it. Returns text or out. */
const char *of_option_shown(const struct of_option *option, const char *text, char *out, size_t size);

/* "default", "file", "environment", "flag". */
const char *of_option_origin_name(enum of_option_origin origin);

/* What every option of the command came to, and from where: default, FILE:LINE, environment or flag; then the
 * properties. Passwords are not shown. */
void of_options_print(const struct of_options *options, FILE *out);

/* A configuration file with every option that can stand in one, commented out, with its help, range and default. */
void of_options_print_template(const struct of_option_table *table, FILE *out);

/* The command's options, section by section, with range, default and placeholder. */
void of_options_print_help(const struct of_option_table *table, unsigned command, FILE *out);

/* The same for a page of the manual (man(7)): subsections and tagged paragraphs; and, as keys of the file, those of all
 * commands. */
void of_options_print_man(const struct of_option_table *table, unsigned command, FILE *out);
void of_options_print_man_file(const struct of_option_table *table, FILE *out);

/* The options of all commands as tables in Markdown, section by section. */
void of_options_print_markdown(const struct of_option_table *table, FILE *out);

/* "0 to 86400000", "'auto' or 'none'": what a value may be; empty for free text. Written to `out`. */
void of_option_describe(const struct of_option *option, char *out, size_t size);

#endif
