// OpenSSL 3, the system's: authenticated encryption, digests, random bytes, TLS.
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// What Swift cannot import of it: macros that compute or cast. One name or call each.

static const uint64_t BELAY_SSL_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t BELAY_SSL_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t BELAY_SSL_SERVER_PREFERENCE =
    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
static const uint64_t BELAY_SSL_NO_TICKET = SSL_OP_NO_TICKET;
static const unsigned long BELAY_X509_NAME_FLAGS = XN_FLAG_RFC2253;

static inline long belay_ssl_ctx_set_name_callback(
    SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    return SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline long belay_ssl_ctx_set_status_callback(
    SSL_CTX *context, int (*callback)(SSL *, void *), void *argument) {
    SSL_CTX_set_tlsext_status_cb(context, callback);
    return SSL_CTX_set_tlsext_status_arg(context, argument);
}

/// `bytes` come from OPENSSL_malloc and belong to `ssl` from here on.
static inline long belay_ssl_set_status_response(SSL *ssl, unsigned char *bytes, long count) {
    return SSL_set_tlsext_status_ocsp_resp(ssl, bytes, count);
}

static inline void *belay_openssl_copy(const void *bytes, size_t count) {
    return OPENSSL_memdup(bytes, count);
}

static inline void belay_openssl_free(void *bytes) { OPENSSL_free(bytes); }
