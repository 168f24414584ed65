#include "commands/config_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/schema_file.h"
#include "core/memory.h"
#include "kafka/options.h"

enum { PLACE_BYTES = 512 };

static void OF_PRINTF(3, 4)
add(struct of_command_line *line, const char *place, const char *format, ...)
{
    char text[OF_ERROR_TEXT_BYTES];
    struct of_error err;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    enum of_status status = of_error_set(&err, OF_FATAL, "%s: %s", place, text);
    status = of_options_complain(&line->options, status, &err);
    (void)status; /* collected */
}

/* ---- files and folders ---- */

enum content { ANY_TEXT, PEM, TOKEN };

static const char *const lacks[] = {
    [ANY_TEXT] = "is empty",
    [PEM] = "holds no PEM (-----BEGIN ...): convert it with openssl",
    [TOKEN] = "has no token in its first line",
};

static bool
is_wanted(const char *line, enum content content)
{
    return content == PEM ? strncmp(line, "-----BEGIN ", 11) == 0 : content == ANY_TEXT || strcspn(line, "\r\n") > 0;
}

static const char *
what_is_wrong(const char *path, enum content content, char *why, size_t size)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(why, size, "cannot read %s: %s; is the path right, and may this user read it?", path,
                 strerrordesc_np(errno));
        return why;
    }
    bool found = false, more = true;
    errno = 0;
    while (more && fgets(line, sizeof line, file) != NULL) {
        found = is_wanted(line, content);
        more = !found && content == PEM; /* of the others the first line decides */
    }
    int error = errno;
    fclose(file);
    if (found)
        return NULL;
    if (error != 0)
        snprintf(why, size, "cannot read %s: %s", path, strerrordesc_np(error));
    else
        snprintf(why, size, "%s %s", path, lacks[content]);
    return why;
}

static void
check_file(struct of_command_line *line, const char *place, const char *path, enum content content)
{
    char why[OF_ERROR_TEXT_BYTES];
    if (what_is_wrong(path, content, why, sizeof why) != NULL)
        add(line, place, "%s", why);
}

static void
check_schema(struct of_command_line *line, const char *place, const char *path)
{
    char *text;
    struct of_error err;
    if (of_schema_file_read(path, &text, &err) != OF_OK)
        add(line, place, "%s: it must be an Avro schema in JSON", err.text);
    free(text);
}

static void
check_folder(struct of_command_line *line, const char *place, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 && errno == ENOENT)
        return; /* it is made when it is needed */
    if (stat(path, &status) != 0)
        add(line, place, "cannot look at %s: %s", path, strerrordesc_np(errno));
    else if (!S_ISDIR(status.st_mode))
        add(line, place, "%s is no folder: name one", path);
    else if (access(path, W_OK | X_OK) != 0)
        add(line, place, "%s cannot be written by this user: give it the right to, or name another folder", path);
}

static const struct {
    const char *name;
    enum kind { TEXT_FILE, TOKEN_FILE, PEM_FILE, SCHEMA_FILE, INPUT_FILE, FOLDER } kind;
} named[] = {
    { "registry-password-file", TEXT_FILE },
    { "registry-token-file", TEXT_FILE },
    { "http-token-file", TOKEN_FILE },
    { "registry-ca", PEM_FILE },
    { "registry-cert", PEM_FILE },
    { "registry-key", PEM_FILE },
    { "schema", SCHEMA_FILE }, /* reader-schema is read with the combinations */
    { "file", INPUT_FILE },
    { "registry-cache-dir", FOLDER },
    { "lock-folder", FOLDER },
};

static void
check_named(struct of_command_line *line, enum kind kind, const char *place, const char *path)
{
    switch (kind) {
    case TEXT_FILE: check_file(line, place, path, ANY_TEXT); break;
    case TOKEN_FILE: check_file(line, place, path, TOKEN); break;
    case PEM_FILE: check_file(line, place, path, PEM); break;
    case SCHEMA_FILE: check_schema(line, place, path); break;
    case INPUT_FILE:
        if (strcmp(path, "-") != 0)
            check_file(line, place, path, ANY_TEXT);
        break;
    case FOLDER: check_folder(line, place, path); break;
    }
}

static bool
belongs(const struct of_options *options, size_t index)
{
    return options->command == OF_EVERY_COMMAND || (options->table->options[index].commands >> options->command & 1);
}

static void
check_files(struct of_command_line *line)
{
    char place[PLACE_BYTES];
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        size_t index = of_options_index(&line->options, named[i].name);
        const char *path = of_options_text(&line->options, index);
        if (path != NULL && belongs(&line->options, index))
            check_named(line, named[i].kind, of_options_place(&line->options, index, place, sizeof place), path);
    }
}

/* ---- addresses ---- */

/* [PROTOCOL://]HOST[:PORT], as librdkafka takes them; an IPv6 address in brackets. */
static const char *
broker_complaint(const char *broker)
{
    const char *protocol = strstr(broker, "://");
    const char *host = protocol != NULL ? protocol + 3 : broker;
    const char *end = host[0] == '[' ? strchr(host, ']') : host + strcspn(host, ":");
    if (end == NULL)
        return "the ']' of the IPv6 address is missing";
    if (end == host || host[strspn(host, " ")] == '\0')
        return "there is no host in it";
    if (strpbrk(host, " /\t") != NULL)
        return "there is a character in it that belongs in no address";
    end += *end == ']';
    if (*end == '\0')
        return NULL;
    if (*end == ':' && strchr(end + 1, ':') != NULL)
        return "an IPv6 address needs brackets: [::1]:9092";
    char *rest;
    long port = *end == ':' ? strtol(end + 1, &rest, 10) : 0;
    return port >= 1 && port <= 65535 && *rest == '\0' ? NULL : "its port is no number from 1 to 65535";
}

static void
check_brokers(struct of_command_line *line)
{
    char place[PLACE_BYTES];
    size_t index = of_options_index(&line->options, "brokers");
    if (!belongs(&line->options, index))
        return;
    char *brokers = of_strdup(of_options_text(&line->options, index)), *rest = brokers;
    for (char *broker; (broker = strsep(&rest, ",")) != NULL;) {
        broker += strspn(broker, " ");
        const char *complaint = broker_complaint(broker);
        if (complaint != NULL)
            add(line, of_options_place(&line->options, index, place, sizeof place),
                "'%s' is no address of a broker: %s (HOST:PORT, several with commas)", broker, complaint);
    }
    free(brokers);
}

/* ---- properties of librdkafka ---- */

static void
check_properties(struct of_command_line *line)
{
    char place[PLACE_BYTES];
    struct of_error err;
    bool all_good = true;
    size_t count = line->options.property_count;
    struct of_kafka_property *all = of_alloc_array(count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        const struct of_property *property = &line->options.properties[i];
        all[i] = (struct of_kafka_property) { property->name, property->value };
        const struct of_kafka_options one = { .properties = &all[i], .property_count = 1 };
        if (of_kafka_check_properties(&one, &err) == OF_OK)
            continue;
        all_good = false;
        add(line, of_options_property_place(&line->options, property, place, sizeof place), "%s", err.text);
    }
    const struct of_kafka_options together = { .properties = all, .property_count = count };
    if (all_good && count > 0 && of_kafka_check_together(&together, &err) != OF_OK)
        add(line, "properties of librdkafka", "%s", err.text);
    free(all);
}

void
of_config_check(struct of_command_line *line)
{
    check_brokers(line);
    check_files(line);
    check_properties(line);
}
