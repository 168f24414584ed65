#include "registry/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/log.h"
#include "core/memory.h"

enum { NAME_BYTES = 128, FILE_BYTES_MAX = 64 << 20 };

struct of_schema_store {
    char *directory;
    int directory_fd;
    char *urls;
    uint64_t urls_hash; /* FNV-1a */
};

static uint64_t
hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++)
        value = (value ^ (uint8_t)*text) * UINT64_C(1099511628211);
    return value;
}

enum of_status
of_schema_store_open(const char *directory, const char *urls, struct of_schema_store **out, struct of_error *err)
{
    *out = NULL;
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return of_error_set(err, OF_FATAL, "cannot make the directory %s: %s", directory, strerrordesc_np(errno));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int number = errno;
        if (fd >= 0)
            close(fd);
        return of_error_set(err, OF_FATAL, "cannot write to the directory %s: %s", directory, strerrordesc_np(number));
    }
    struct of_schema_store *store = of_alloc(sizeof *store);
    store->directory = of_strdup(directory);
    store->directory_fd = fd;
    store->urls = of_strdup(urls);
    store->urls_hash = hash(urls);
    *out = store;
    return OF_OK;
}

void
of_schema_store_close(struct of_schema_store **store)
{
    struct of_schema_store *gone = *store;
    *store = NULL;
    if (gone == NULL)
        return;
    close(gone->directory_fd);
    free(gone->directory);
    free(gone->urls);
    free(gone);
}

/* "id-17-0123456789abcdef.json" */
static const char *
name_of(const struct of_schema_store *store, struct of_schema_key key, char name[NAME_BYTES])
{
    char text[OF_SCHEMA_KEY_TEXT_BYTES];
    snprintf(name, NAME_BYTES, "%s-%s-%016" PRIx64 ".json", key.is_guid ? "guid" : "id",
             of_schema_key_print(key, text), store->urls_hash);
    return name;
}

/* ---- reading ---- */

static json_t *
load(const struct of_schema_store *store, const char *name, json_error_t *error)
{
    int fd = openat(store->directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error->text, sizeof error->text, "%s", strerrordesc_np(errno));
        return NULL;
    }
    struct stat there;
    json_t *json = NULL;
    if (fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && there.st_size <= FILE_BYTES_MAX)
        json = json_loadfd(fd, 0, error);
    else
        snprintf(error->text, sizeof error->text, "no file of a usable size");
    close(fd);
    return json;
}

static struct of_schema_source *
to_source(const struct of_schema_store *store, const json_t *json)
{
    const char *registry = json_string_value(json_object_get(json, "registry"));
    const char *text = json_string_value(json_object_get(json, "schema"));
    const json_t *references = json_object_get(json, "references");
    if (registry == NULL || strcmp(registry, store->urls) != 0 || text == NULL || !json_is_array(references))
        return NULL;
    struct of_schema_source *source = of_schema_source_create(text);
    for (size_t i = 0; i < json_array_size(references) && source != NULL; i++) {
        const char *reference = json_string_value(json_array_get(references, i));
        if (reference != NULL)
            of_schema_source_add(source, reference);
        else
            of_schema_source_destroy(&source);
    }
    return source;
}

struct of_schema_source *
of_schema_store_get(const struct of_schema_store *store, struct of_schema_key key)
{
    char name[NAME_BYTES];
    json_error_t error = { .text = "it holds something else" };
    if (faccessat(store->directory_fd, name_of(store, key, name), F_OK, 0) != 0)
        return NULL;
    json_t *json = load(store, name, &error);
    struct of_schema_source *source = json != NULL ? to_source(store, json) : NULL;
    if (source == NULL)
        of_log_limited(OF_LOG_WARNING, "registry", "%s/%s cannot be used and is made anew: %s", store->directory, name,
                       error.text);
    json_decref(json);
    return source;
}

/* ---- writing ---- */

static json_t *
to_json(const struct of_schema_store *store, const struct of_schema_source *source)
{
    json_t *references = json_array();
    for (size_t i = 0; i < source->reference_count; i++)
        json_array_append_new(references, json_string(source->references[i]));
    return json_pack("{s:s,s:s,s:o}", "registry", store->urls, "schema", source->text, "references", references);
}

static bool
write_whole(const struct of_schema_store *store, const char *part, const json_t *json)
{
    int fd = openat(store->directory_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    bool written = json_dumpfd(json, fd, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0 && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

void
of_schema_store_put(const struct of_schema_store *store, struct of_schema_key key,
                    const struct of_schema_source *source)
{
    char name[NAME_BYTES], part[NAME_BYTES + 32];
    name_of(store, key, name);
    snprintf(part, sizeof part, ".%s.%ld", name, (long)getpid());
    json_t *json = to_json(store, source);
    bool done = json != NULL && write_whole(store, part, json) &&
                renameat(store->directory_fd, part, store->directory_fd, name) == 0 && fsync(store->directory_fd) == 0;
    if (!done) {
        of_log_limited(OF_LOG_WARNING, "registry", "cannot keep a schema in %s: %s", store->directory,
                       strerrordesc_np(errno));
        unlinkat(store->directory_fd, part, 0);
    }
    json_decref(json);
}
