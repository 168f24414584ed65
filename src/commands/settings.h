/* What the options say, as one typed struct; filled before a command begins, constant afterwards.
 *
 * commands/settings.c holds the table of all options with their defaults, ranges and help, and is the only place that
 * knows them. Only commands read settings: what a stage needs is handed to it in a struct of its own.
 * Strings live as long as the command line they were loaded into. */
#ifndef OF_COMMANDS_SETTINGS_H
#define OF_COMMANDS_SETTINGS_H

#include "core/option.h"

/* Bit numbers in the table. */
enum of_command_index {
    OF_COMMAND_RUN,
    OF_COMMAND_PRODUCE,
    OF_COMMAND_DEMO,
    OF_COMMAND_STATS,
    OF_COMMAND_RESET,
    OF_COMMAND_SCHEMA,
    OF_COMMAND_DOCTOR,
    OF_COMMAND_COUNT,
    OF_COMMAND_ALL = OF_EVERY_COMMAND,
};

enum of_from { OF_FROM_EARLIEST, OF_FROM_LATEST };
enum of_on_out_of_range { OF_ON_OUT_OF_RANGE_ERROR, OF_ON_OUT_OF_RANGE_EARLIEST, OF_ON_OUT_OF_RANGE_LATEST };
enum of_source_choice { OF_SOURCE_AUTO, OF_SOURCE_DIRECT, OF_SOURCE_LIBRDKAFKA };
enum of_on_stop { OF_ON_STOP_LEAVE, OF_ON_STOP_STAY };
enum of_guarantee { OF_GUARANTEE_EXACTLY_ONCE, OF_GUARANTEE_AT_LEAST_ONCE };

extern const char *const of_guarantee_names[];

struct of_settings {
    const char *config;
    /* connections */
    const char *brokers, *registry, *group;
    const char *instance_id; /* as commands/identity.h wants it */
    const char *lock_folder; /* NULL: the host's */
    const char *registry_user, *registry_password, *registry_password_file; /* NULL: none, and so on */
    const char *registry_token, *registry_token_file;
    const char *registry_ca, *registry_cert, *registry_key;
    const char *registry_cache_dir;
    int64_t registry_timeout_ms;
    int from;   /* enum of_from */
    int on_out_of_range; /* enum of_on_out_of_range */
    int source; /* enum of_source_choice */
    /* topics */
    const char *topic, *retry_topic, *dlq_topic, *aggregates_topic;
    bool create_topics;
    int64_t partitions, replication; /* replication -1: the broker's default */
    /* orders */
    const char *id_field, *value_field, *group_by_field;
    const char *reader_schema; /* a file; NULL: none */
    int64_t schema_id;         /* negative: none */
    int64_t max_field_bytes, max_groups;
    double min_value, max_value; /* NaN: no limit */
    /* failures */
    int64_t max_retries, retry_delay_ms;
    double failure_rate;
    int64_t seed;
    /* delivery */
    int guarantee; /* enum of_guarantee */
    int64_t commit_interval_ms, drain_timeout_ms;
    int on_stop; /* enum of_on_stop */
    bool exit_at_end;
    int64_t exit_timeout_ms; /* 0: none */
    /* threads and memory */
    int64_t fetch_threads, decode_threads, process_threads, aggregate_threads, memory_mb;
    /* output */
    int console;   /* enum of_console_mode */
    int color;     /* enum of_color */
    const char *log_level; /* as of_log_set_levels takes it */
    int log_format;        /* enum of_log_format */
    bool print_wiring;
    int64_t progress_seconds; /* 0: none */
    const char *http; /* NULL: none */
    const char *http_token, *http_token_file; /* NULL: none */
    bool json, follow; /* of stats */
    bool yes;          /* of reset: do it */
    /* orders to publish */
    const char *schema;  /* a file; NULL: the built-in one of orders */
    const char *subject; /* NULL: <topic>-value */
    bool auto_register;
    const char *file;    /* NULL: random orders; "-": standard input */
    int64_t count, interval_ms, first_id;
    double rate; /* orders per second, 0: as fast as it goes; NaN: not given, interval_ms counts */
};

/* A command line and all that came of it. */
struct of_command_line {
    struct of_settings settings;
    struct of_options options; /* where values came from, and the properties for librdkafka */
    enum of_command_index command;
    char **arguments; /* of_command_line_run: copies of what followed the command's name, to read all again; else NULL */
};

extern const struct of_option_table of_settings_table;

/* Runs a command: reads arguments, environment and file, sets the log level, logs warnings, and has `body` do the work with
 * what came of it. Returns the exit status: the body's, or that of help that was printed, or of an error that was told on
 * standard error. */
int of_command_line_run(enum of_command_index command, int argc, char **argv,
                        int (*body)(const struct of_command_line *line));

/* Reads the same without any output; `line` is initialised in every case and wants of_settings_fini. */
OF_MUST_USE enum of_status of_settings_read(struct of_command_line *line, enum of_command_index command,
                                            const char *const *arguments, const char *const *environment,
                                            struct of_error *err);

/* The same, but whatever is wrong goes to line->options.problems, and does not end the reading. */
void of_settings_collect(struct of_command_line *line, enum of_command_index command, const char *const *arguments,
                         const char *const *environment);

void of_settings_fini(struct of_command_line *line);

#endif
