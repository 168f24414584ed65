#include "commands/registry_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { PASSWORD_BYTES = 4096 };

enum of_status
of_registry_settings_check(const struct of_settings *s, struct of_error *err)
{
    bool password = s->registry_password != NULL || s->registry_password_file != NULL;
    bool token = s->registry_token != NULL || s->registry_token_file != NULL;
    if (s->registry_user != NULL && token)
        return of_error_set(err, OF_FATAL, "--registry-user and a token for the registry exclude each other");
    if (password && s->registry_user == NULL)
        return of_error_set(err, OF_FATAL, "there is a password for the registry, but no --registry-user");
    if (s->registry_password != NULL && s->registry_password_file != NULL)
        return of_error_set(err, OF_FATAL, "registry-password and --registry-password-file exclude each other");
    if (s->registry_token != NULL && s->registry_token_file != NULL)
        return of_error_set(err, OF_FATAL, "registry-token and --registry-token-file exclude each other");
    if (s->registry_key != NULL && s->registry_cert == NULL)
        return of_error_set(err, OF_FATAL, "--registry-key is of no use without --registry-cert");
    return OF_OK;
}

/* The first line of the file, without the end of the line. */
static enum of_status
read_password(const char *path, char password[PASSWORD_BYTES], struct of_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return of_error_set(err, OF_FATAL, "cannot read the registry's password in %s: %s", path,
                            strerrordesc_np(errno));
    bool read = fgets(password, PASSWORD_BYTES, file) != NULL;
    fclose(file);
    if (!read || strlen(password) == PASSWORD_BYTES - 1)
        return of_error_set(err, OF_FATAL, "there is no password for the registry in %s", path);
    password[strcspn(password, "\r\n")] = '\0';
    return OF_OK;
}

enum of_status
of_registry_open(const struct of_settings *s, struct of_registry_client **out, struct of_error *err)
{
    char password[PASSWORD_BYTES];
    struct of_registry_options options = {
        .urls = s->registry,
        .connect_timeout_ms = s->registry_timeout_ms < 3000 ? s->registry_timeout_ms : 3000,
        .timeout_ms = s->registry_timeout_ms,
        .user = s->registry_user,
        .password = s->registry_password,
        .token = s->registry_token,
        .token_file = s->registry_token_file,
        .ca_file = s->registry_ca,
        .cert_file = s->registry_cert,
        .key_file = s->registry_key,
    };
    *out = NULL;
    enum of_status status = of_registry_settings_check(s, err);
    if (status == OF_OK && s->registry_password_file != NULL) {
        status = read_password(s->registry_password_file, password, err);
        options.password = password;
    }
    if (status == OF_OK)
        status = of_registry_client_open(&options, out, err);
    explicit_bzero(password, sizeof password);
    return status;
}
