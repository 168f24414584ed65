#include "commands/identity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "commands/instance_lock.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/memory.h"
#include "order/failure.h"

enum { NAME_BYTES = 201, SLOTS = 256, LOCK_NAME_BYTES = NAME_BYTES + 20 };

struct member {
    char *instance_id, *transactional_id;
};

struct of_identity {
    char name[NAME_BYTES]; /* "": none */
    char reason[320];
    struct of_instance_lock lock;
    struct member *members;
    uint32_t member_count;
};

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* What Kafka takes as group.instance.id, with room for slot and member. */
const char *
of_identity_complaint(const char *name)
{
    if (strlen(name) >= NAME_BYTES)
        return "is too long (200 characters at most)";
    if (name[0] == '.' || name[strspn(name, allowed)] != '\0')
        return "is no name for an instance (allowed: letters, digits, '.', '_' and '-', no '.' in front)";
    return NULL;
}

/* ---- the host ---- */

/* The name that Docker and its like give a container: half of its id's first bytes. */
static bool
is_container_id(const char *name)
{
    return strlen(name) == 12 && strspn(name, "0123456789abcdef") == 12;
}

const char *
of_host_complaint(const char *name)
{
    static const char *const common[] = { "", "localhost", "localhost.localdomain", "(none)" };
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (strcmp(name, common[i]) == 0)
            return "the host has no name of its own";
    return is_container_id(name) ? "the host's name looks like the number of a container" : NULL;
}

static const char *
container_mark(const char *root)
{
    static const struct {
        const char *path, *says;
    } marks[] = {
        { "/.dockerenv", "this is a container (/.dockerenv is there)" },
        { "/run/.containerenv", "this is a container (/run/.containerenv is there)" },
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", root, marks[i].path);
        if (access(path, F_OK) == 0)
            return marks[i].says;
    }
    if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
        return "this is a container (KUBERNETES_SERVICE_HOST is set)";
    return getenv("container") != NULL ? "this is a container (the variable container is set)" : NULL;
}

void
of_host_look(struct of_host *host, const char *root)
{
    if (gethostname(host->name, sizeof host->name) != 0)
        host->name[0] = '\0';
    host->name[sizeof host->name - 1] = '\0';
    host->changing = container_mark(root);
    if (host->changing == NULL)
        host->changing = of_host_complaint(host->name);
}

/* ---- locking a name ---- */

/* Readable by its front, told apart by its end. */
static void
name_lock(const struct of_identity_options *options, const char *name, char out[static LOCK_NAME_BYTES])
{
    uint64_t scope[2] = { of_fnv1a64(of_slice_str(options->cluster)), of_fnv1a64(of_slice_str(options->group)) };
    uint64_t hash = of_fnv1a64((struct of_slice) { (const uint8_t *)scope, sizeof scope });
    snprintf(out, LOCK_NAME_BYTES, "%s-%016" PRIx64, name, hash);
}

static enum of_status
take_name(struct of_identity *identity, const struct of_identity_options *options, const char *name, struct of_error *err)
{
    char lock_name[LOCK_NAME_BYTES], about[768];
    name_lock(options, name, lock_name);
    snprintf(about, sizeof about, "instance %s\ngroup %.200s\ncluster %.200s\n", name, options->group, options->cluster);
    return of_instance_lock_take(&identity->lock, options->lock_folder, lock_name, about, err);
}

/* ---- the choice ---- */

static enum of_status
be_nobody(struct of_identity *identity, const char *reason)
{
    identity->name[0] = '\0';
    snprintf(identity->reason, sizeof identity->reason, "none: %.300s", reason);
    return OF_OK;
}

/* Without a lock the name is taken all the same: it is the user's word that it is unique, and Kafka fences. */
static enum of_status
be_named(struct of_identity *identity, const struct of_identity_options *options, struct of_error *err)
{
    OF_ASSERT(of_identity_complaint(options->wanted) == NULL);
    snprintf(identity->name, sizeof identity->name, "%s", options->wanted);
    snprintf(identity->reason, sizeof identity->reason, "%s, as --instance-id says", options->wanted);
    struct of_error why;
    enum of_status status = take_name(identity, options, options->wanted, &why);
    if (status == OF_AGAIN)
        return of_error_set(err, OF_FATAL, "instance %s of group %s runs on this host already: %s; give each its own "
                            "--instance-id", options->wanted, options->group, why.text);
    if (status != OF_OK)
        of_log_warning("run", "a second instance %s on this host would not be refused: %s", options->wanted, why.text);
    return OF_OK;
}

static enum of_status
be_host(struct of_identity *identity, const struct of_identity_options *options, struct of_error *err)
{
    char host[65];
    snprintf(host, sizeof host, "%s", options->host->name[0] != '\0' ? options->host->name : "localhost");
    for (char *c = host; *c != '\0'; c++)
        if (strchr(allowed, *c) == NULL || (c == host && *c == '.'))
            *c = '-';
    for (int slot = 0; slot < SLOTS; slot++) {
        snprintf(identity->name, sizeof identity->name, "%s-%d", host, slot);
        enum of_status status = take_name(identity, options, identity->name, err);
        if (status == OF_AGAIN)
            continue;
        snprintf(identity->reason, sizeof identity->reason, "%s, the host's name and first free slot", identity->name);
        return status;
    }
    return of_error_set(err, OF_FATAL, "%d instances of group %s run on this host already", SLOTS, options->group);
}

static enum of_status
choose(struct of_identity *identity, const struct of_identity_options *options, struct of_error *err)
{
    if (strcmp(options->wanted, "none") == 0)
        return be_nobody(identity, "as --instance-id says");
    if (strcmp(options->wanted, "host") == 0)
        return be_host(identity, options, err);
    if (strcmp(options->wanted, "auto") != 0)
        return be_named(identity, options, err);
    if (options->host->changing != NULL)
        return be_nobody(identity, options->host->changing);
    struct of_error why;
    return be_host(identity, options, &why) == OF_OK ? OF_OK : be_nobody(identity, why.text);
}

/* ---- names of members ---- */

static char *OF_PRINTF(1, 2)
print(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    OF_ASSERT(length >= 0);
    char *text = of_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(args);
    va_end(again);
    return text;
}

/* A producer has an id in any case: who has no name gets one that nobody had before. A group's name may hold anything, but
 * behind the last slash stand an instance's, which holds none, and the member's number: no two have the same id. */
static void
name_members(struct of_identity *identity, const struct of_identity_options *options)
{
    char unique[20] = "";
    uint64_t random;
    bool named = identity->name[0] != '\0';
    if (!named) {
        OF_ASSERT(getrandom(&random, sizeof random, 0) == sizeof random);
        snprintf(unique, sizeof unique, "%016" PRIx64, random);
    }
    identity->member_count = options->members;
    identity->members = of_alloc_array(options->members, sizeof *identity->members);
    for (uint32_t k = 0; k < options->members; k++) {
        if (named)
            identity->members[k].instance_id = print("%s-%" PRIu32, identity->name, k);
        identity->members[k].transactional_id = print("orderflow-%s/%s-%" PRIu32, options->group,
                                                      named ? identity->name : unique, k);
    }
}

enum of_status
of_identity_open(const struct of_identity_options *options, struct of_identity **out, struct of_error *err)
{
    struct of_identity *identity = of_alloc(sizeof *identity);
    identity->lock = (struct of_instance_lock) { .folder = -1, .file = -1 };
    enum of_status status = choose(identity, options, err);
    if (status == OF_OK)
        name_members(identity, options);
    else
        of_identity_close(&identity);
    *out = identity;
    return status;
}

void
of_identity_close(struct of_identity **identity)
{
    if (*identity == NULL)
        return;
    of_instance_lock_give_back(&(*identity)->lock);
    for (uint32_t k = 0; k < (*identity)->member_count; k++) {
        free((*identity)->members[k].instance_id);
        free((*identity)->members[k].transactional_id);
    }
    free((*identity)->members);
    free(*identity);
    *identity = NULL;
}

/* ---- asking ---- */

const char *
of_identity_name(const struct of_identity *identity)
{
    return identity->name[0] != '\0' ? identity->name : NULL;
}

const char *
of_identity_reason(const struct of_identity *identity)
{
    return identity->reason;
}

const char *
of_identity_instance_id(const struct of_identity *identity, uint32_t member)
{
    OF_ASSERT(member < identity->member_count);
    return identity->members[member].instance_id;
}

const char *
of_identity_transactional_id(const struct of_identity *identity, uint32_t member)
{
    OF_ASSERT(member < identity->member_count);
    return identity->members[member].transactional_id;
}
