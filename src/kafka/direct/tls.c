#include "kafka/direct/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

struct of_tls {
    SSL_CTX *context;
    bool verify_host;
};

struct of_tls_session {
    SSL *ssl;
};

/* "context: reason", with OpenSSL's first reason, which is the one that says what is wrong. */
static enum of_status
explain(struct of_error *err, enum of_status status, const char *context)
{
    char text[256] = "unknown reason";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return of_error_set(err, status, "%s: %s", context, text);
}

static int
give_password(char *out, int size, int writing, void *password)
{
    (void)writing;
    int length = password == NULL ? 0 : (int)strlen(password);
    if (length > size)
        return -1;
    if (length > 0)
        memcpy(out, password, (size_t)length);
    return length;
}

static enum of_status
load(SSL_CTX *context, const struct of_direct_settings *settings, struct of_error *err)
{
    if (settings->ca_location != NULL ? !SSL_CTX_load_verify_locations(context, settings->ca_location, NULL)
                                      : !SSL_CTX_set_default_verify_paths(context))
        return explain(err, OF_FATAL, "ssl.ca.location");
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *)(uintptr_t)settings->key_password);
    if (settings->certificate_location != NULL &&
        !SSL_CTX_use_certificate_chain_file(context, settings->certificate_location))
        return explain(err, OF_FATAL, "ssl.certificate.location");
    if (settings->key_location != NULL &&
        !SSL_CTX_use_PrivateKey_file(context, settings->key_location, SSL_FILETYPE_PEM))
        return explain(err, OF_FATAL, "ssl.key.location");
    if (settings->key_location != NULL && !SSL_CTX_check_private_key(context))
        return explain(err, OF_FATAL, "ssl.key.location");
    return OF_OK;
}

enum of_status
of_tls_open(const struct of_direct_settings *settings, struct of_tls **out, struct of_error *err)
{
    struct of_tls *tls = of_alloc(sizeof *tls);
    tls->verify_host = settings->verify_host;
    tls->context = SSL_CTX_new(TLS_client_method());
    enum of_status status = tls->context == NULL ? explain(err, OF_FATAL, "TLS") : load(tls->context, settings, err);
    if (status != OF_OK) {
        of_tls_close(&tls);
        return status;
    }
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls->context, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    *out = tls;
    return OF_OK;
}

void
of_tls_close(struct of_tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_CTX_free((*tls)->context);
    free(*tls);
    *tls = NULL;
}

/* ---- sessions ---- */

static bool
expect_host(SSL *ssl, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* What SSL_set_tlsext_host_name stands for, but for its cast. */
    return SSL_set1_host(ssl, host) &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
}

enum of_status
of_tls_session_open(struct of_tls *tls, int fd, const char *host, struct of_tls_session **session, struct of_error *err)
{
    SSL *ssl = SSL_new(tls->context);
    if (ssl == NULL || !SSL_set_fd(ssl, fd) || (tls->verify_host && !expect_host(ssl, host))) {
        SSL_free(ssl);
        return explain(err, OF_RETRY, "TLS");
    }
    SSL_set_connect_state(ssl);
    *session = of_alloc(sizeof **session);
    (*session)->ssl = ssl;
    return OF_OK;
}

void
of_tls_session_close(struct of_tls_session **session)
{
    if (*session == NULL)
        return;
    SSL_free((*session)->ssl);
    free(*session);
    *session = NULL;
}

enum of_status
of_tls_handshake(struct of_tls_session *session, bool *wants_write, struct of_error *err)
{
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    *wants_write = false;
    if (result == 1)
        return OF_OK;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_WRITE:
        *wants_write = true;
        return OF_AGAIN;
    case SSL_ERROR_WANT_READ:
        return OF_AGAIN;
    default:
        break;
    }
    long verdict = SSL_get_verify_result(session->ssl);
    if (verdict != X509_V_OK) {
        ERR_clear_error();
        return of_error_set(err, OF_RETRY, "TLS: the broker's certificate is refused: %s",
                            X509_verify_cert_error_string(verdict));
    }
    return explain(err, OF_RETRY, "TLS");
}

static ssize_t
result_of(struct of_tls_session *session, int result, struct of_error *err)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        of_error_set(err, OF_RETRY, "the broker closed the connection");
        return -1;
    default:
        explain(err, OF_RETRY, "TLS");
        return -1;
    }
}

static int
int_size(size_t size)
{
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

ssize_t
of_tls_read(struct of_tls_session *session, void *bytes, size_t size, struct of_error *err)
{
    ERR_clear_error();
    return result_of(session, SSL_read(session->ssl, bytes, int_size(size)), err);
}

ssize_t
of_tls_write(struct of_tls_session *session, const void *bytes, size_t size, struct of_error *err)
{
    ERR_clear_error();
    return result_of(session, SSL_write(session->ssl, bytes, int_size(size)), err);
}
