// See tls.h.

#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SSL_CTX *context;
static int resumes;

static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/// Keeps the newest session, as browsers do: a ticket of TLS 1.3 is good for one time. Returns 1
/// if it does: then it owns it.
static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct tls_memory *memory = SSL_get_app_data(ssl);
    if (!resumes) return 0;
    SSL_SESSION_free(memory->session);
    memory->session = session;
    return 1;
}

void tls_prepare(const char *version, int resume) {
    static const unsigned char protocol[] = "\x08http/1.1";
    int number = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    resumes = resume;
    context = SSL_CTX_new(TLS_client_method());
    if (!context) die("no TLS");
    if (!SSL_CTX_set_min_proto_version(context, number)
        || !SSL_CTX_set_max_proto_version(context, number)
        || !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256")
        || !SSL_CTX_set_cipher_list(
            context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
        || !SSL_CTX_set1_groups_list(context, "X25519:P-256")
        || SSL_CTX_set_alpn_protos(context, protocol, sizeof protocol - 1))
        die("settings of TLS");
    // The certificate is the proxies' own; that it is the right one is checked elsewhere.
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(
        context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_session);
}

SSL *tls_open(int fd, struct tls_memory *memory) {
    SSL *ssl = SSL_new(context);
    if (!ssl || !SSL_set_fd(ssl, fd) || !SSL_set_tlsext_host_name(ssl, "shop.example"))
        die("a connection");
    SSL_set_app_data(ssl, memory);
    memory->is_offered = memory->session != NULL;
    if (memory->session && !SSL_set_session(ssl, memory->session)) die("a session");
    return ssl;
}

static int waits(SSL *ssl, int result) {
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

int tls_shake(SSL *ssl) {
    struct tls_memory *memory = SSL_get_app_data(ssl);
    ERR_clear_error();
    int result = SSL_connect(ssl);
    if (result != 1) return waits(ssl, result) ? 0 : -1;
    return memory->is_offered && !SSL_session_reused(ssl) ? -1 : 1;
}

ssize_t tls_receive(SSL *ssl, void *bytes, size_t count) {
    size_t received = 0;
    ERR_clear_error();
    int result = SSL_read_ex(ssl, bytes, count, &received);
    if (result == 1) return (ssize_t)received;
    if (SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN) return 0;
    errno = waits(ssl, result) ? EAGAIN : EPROTO;
    return -1;
}

ssize_t tls_send(SSL *ssl, const void *bytes, size_t count) {
    size_t sent = 0;
    ERR_clear_error();
    return SSL_write_ex(ssl, bytes, count, &sent) == 1 ? (ssize_t)sent : -1;
}

void tls_close(SSL *ssl) {
    if (SSL_is_init_finished(ssl)) SSL_shutdown(ssl);
    ERR_clear_error();
    // OpenSSL forgets the session of a connection that was not closed by the book.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}
