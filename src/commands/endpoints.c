#include "commands/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands/health.h"
#include "commands/observer.h"
#include "core/log.h"
#include "core/memory.h"

enum { TOKEN_BYTES = 4096 };

struct of_endpoints {
    struct of_observer *observer;
    struct of_health *health;
};

/* The first line of the file. */
static enum of_status
read_token(const char *path, char token[TOKEN_BYTES], struct of_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return of_error_set(err, OF_FATAL, "--http-token-file: cannot read %s: %s", path, strerrordesc_np(errno));
    bool read = fgets(token, TOKEN_BYTES, file) != NULL;
    fclose(file);
    if (read)
        token[strcspn(token, "\r\n")] = '\0';
    if (!read || token[0] == '\0')
        return of_error_set(err, OF_FATAL, "--http-token-file: there is no token in the first line of %s", path);
    return OF_OK;
}

static enum of_status
find_token(const struct of_settings *settings, char token[TOKEN_BYTES], bool *found, struct of_error *err)
{
    *found = settings->http_token != NULL || settings->http_token_file != NULL;
    if (settings->http_token_file != NULL)
        return read_token(settings->http_token_file, token, err);
    if (settings->http_token != NULL && snprintf(token, TOKEN_BYTES, "%s", settings->http_token) >= TOKEN_BYTES)
        return of_error_set(err, OF_FATAL, "http-token is longer than %d bytes", TOKEN_BYTES - 1);
    return OF_OK;
}

enum of_status
of_endpoints_check_token(const struct of_settings *settings, struct of_error *err)
{
    char token[TOKEN_BYTES];
    bool found;
    enum of_status status = find_token(settings, token, &found, err);
    explicit_bzero(token, sizeof token);
    return status;
}

static void
tell(const struct of_session *session, const struct of_health *health, bool guarded)
{
    const char *address = of_health_address(health);
    of_log_info(session->command, "dashboard at http://%s/, metrics at /metrics, health at /healthz and /readyz", address);
    if (!guarded && !of_health_is_local(health))
        of_log_warning(session->command, "whoever can reach %s can see totals and the last dead letters: "
                       "--http-token-file asks for a token, --http PORT listens on this machine alone", address);
}

static enum of_status
open_health(struct of_endpoints *endpoints, const struct of_session *session, const struct of_kafka_options *probe,
            const char *token, struct of_error *err)
{
    const struct of_health_options options = {
        .address = session->settings->http,
        .clock = of_clock_system(),
        .pipeline = &session->pipeline,
        .kafka = probe,
        .state_schema = &session->state_schema,
        .observer = endpoints->observer,
        .token = token,
    };
    return of_health_open(&options, &endpoints->health, err);
}

enum of_status
of_endpoints_open(const struct of_session *session, const struct of_kafka_options *probe, struct of_endpoints **out,
                  struct of_error *err)
{
    char token[TOKEN_BYTES] = "";
    bool guarded;
    *out = NULL;
    if (session->settings->http == NULL)
        return OF_OK;
    enum of_status status = find_token(session->settings, token, &guarded, err);
    if (status != OF_OK)
        return status;
    struct of_endpoints *endpoints = of_alloc(sizeof *endpoints);
    endpoints->observer = of_observer_create(session);
    status = open_health(endpoints, session, probe, guarded ? token : NULL, err);
    explicit_bzero(token, sizeof token);
    if (status != OF_OK) {
        of_endpoints_close(&endpoints);
        return status;
    }
    tell(session, endpoints->health, guarded);
    *out = endpoints;
    return OF_OK;
}

void
of_endpoints_close(struct of_endpoints **endpoints)
{
    if (*endpoints == NULL)
        return;
    of_health_close(&(*endpoints)->health);
    of_observer_destroy(&(*endpoints)->observer);
    free(*endpoints);
    *endpoints = NULL;
}
