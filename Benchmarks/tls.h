// TLS for load.c: one suite, one curve, and it is known whether a handshake was resumed.

#include <openssl/ssl.h>
#include <sys/types.h>

/// Before the others. `version` is "1.2" or "1.3"; `resumes`: with the newest session that
/// a connection got, by its ticket, whenever it is opened anew.
void tls_prepare(const char *version, int resumes);

/// What a connection keeps when it is opened anew.
struct tls_memory {
    SSL_SESSION *session;
    int is_offered;      // the handshake that is going on offers to resume it
};

/// A handshake to come.
SSL *tls_open(int fd, struct tls_memory *memory);

/// Goes on with the handshake. Returns 1 when it is done, 0 when it waits, -1 when it failed or
/// was not resumed although it had to be.
int tls_shake(SSL *ssl);

/// As recv and send do without waiting.
ssize_t tls_receive(SSL *ssl, void *bytes, size_t count);
ssize_t tls_send(SSL *ssl, const void *bytes, size_t count);

/// Takes leave of the other side; the descriptor stays open.
void tls_close(SSL *ssl);
