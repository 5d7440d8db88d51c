// OpenSSL: whom a client believes, who a server says it is, and what went wrong.
#include "internal.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
#include <limits.h>

struct identity {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
    struct identity *next;
};

struct culvert_identities {
    struct identity *first;
};

// A process that exits must not take OpenSSL away from a thread that still serves its sockets.
__attribute__((constructor)) static void keep_openssl_at_exit(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void describe_error(const char *fallback, char *error, size_t room) {
    unsigned long code = ERR_peek_last_error();
    const char *words = NULL;
    if (code && ERR_SYSTEM_ERROR(code)) words = strerror(ERR_GET_REASON(code));
    else if (code && ERR_GET_REASON(code) != PEM_R_NO_START_LINE) words = ERR_reason_error_string(code);
    snprintf(error, room, "%s", words ? words : fallback);
    ERR_clear_error();
}

// --- whom a client believes ---

culvert_trust_ref culvert_trust_create(bool with_system_roots, const char *extra_pem_file,
                                       char *error, size_t room) {
    ERR_clear_error();
    X509_STORE *store = X509_STORE_new();
    if (!store) return NULL;
    if (with_system_roots) X509_STORE_set_default_paths(store);
    ERR_clear_error();
    // OpenSSL's own word for a file that is not there is "system lib".
    if (extra_pem_file && access(extra_pem_file, R_OK)) {
        snprintf(error, room, "%s", strerror(errno));
        X509_STORE_free(store);
        return NULL;
    }
    if (extra_pem_file && !X509_STORE_load_file(store, extra_pem_file)) {
        describe_error("no PEM certificate in it", error, room);
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

bool culvert_trust_add(culvert_trust_ref trust, const char *pem, size_t length, char *error,
                       size_t room) {
    ERR_clear_error();
    BIO *text = length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
    size_t count = 0;
    X509 *certificate;
    while (text && (certificate = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(trust, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(text);
    // Reading ends with an error in any case: that there is no further certificate.
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (count && is_end) {
        ERR_clear_error();
        return true;
    }
    describe_error("no PEM certificate in it", error, room);
    return false;
}

void culvert_trust_release(culvert_trust_ref trust) { X509_STORE_free(trust); }

static void remember_refused_certificate(culvert_loop_ref loop, X509_STORE_CTX *verification) {
    culvert_tls_failure *failure = &loop->failure;
    X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
    failure->verify_code = X509_STORE_CTX_get_error(verification);
    failure->depth = X509_STORE_CTX_get_error_depth(verification);
    snprintf(failure->reason, sizeof failure->reason, "%s",
             X509_verify_cert_error_string(failure->verify_code));
    failure->subject[0] = 0;
    BIO *text = certificate ? BIO_new(BIO_s_mem()) : NULL;
    if (!text) return;
    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    int length = BIO_read(text, failure->subject, sizeof failure->subject - 1);
    failure->subject[length > 0 ? length : 0] = 0;
    BIO_free(text);
}

static int verify_server(X509_STORE_CTX *verification, void *loop) {
    int verdict = X509_verify_cert(verification);
    if (verdict <= 0) remember_refused_certificate(loop, verification);
    return verdict;
}

// Runs inside culvert_connect, just before the ClientHello is written: each connection believes
// its own certificates. Without this the store is empty and nobody is believed.
static void on_tls_info(const SSL *tls, int where, int value) {
    culvert_loop_ref loop = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
    if ((where & SSL_CB_HANDSHAKE_START) && loop->handover_trust)
        SSL_set1_verify_cert_store((SSL *)tls, loop->handover_trust);
    if ((where & SSL_CB_ALERT) && (value >> 8) == SSL3_AL_FATAL)
        snprintf(loop->failure.alert, sizeof loop->failure.alert, "%s alert: %s",
                 where & SSL_CB_READ ? "received" : "sent", SSL_alert_desc_string_long(value));
}

bool culvert_client_tls_create(culvert_loop_ref loop) {
    loop->client_tls = SSL_CTX_new(TLS_client_method());
    if (!loop->client_tls) return false;
    SSL_CTX_set_app_data(loop->client_tls, loop);
    SSL_CTX_set_min_proto_version(loop->client_tls, TLS1_2_VERSION);
    SSL_CTX_set_options(loop->client_tls, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(loop->client_tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(loop->client_tls, verify_server, loop);
    SSL_CTX_set_info_callback(loop->client_tls, on_tls_info);
    return true;
}

culvert_tls_failure culvert_take_tls_failure(culvert_loop_ref loop) {
    culvert_tls_failure failure = loop->failure;
    memset(&loop->failure, 0, sizeof loop->failure);
    return failure;
}

bool culvert_tls_established(culvert_socket socket) {
    SSL *tls = lws_get_ssl(socket);
    return tls && SSL_is_init_finished(tls);
}

// --- who a server says it is ---

culvert_identities_ref culvert_identities_create(void) {
    return calloc(1, sizeof(struct culvert_identities));
}

static void identity_free(struct identity *identity) {
    X509_free(identity->leaf);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
    free(identity);
}

void culvert_identities_free(culvert_identities_ref identities) {
    for (struct identity *next, *one = identities->first; one; one = next) {
        next = one->next;
        identity_free(one);
    }
    free(identities);
}

static int no_passphrase(char *into, int room, int writing, void *user) { return -1; }

static bool read_chain(struct identity *identity, const char *file, char *error, size_t room) {
    BIO *pem = BIO_new_file(file, "r");
    if (pem) {
        identity->leaf = PEM_read_bio_X509_AUX(pem, NULL, no_passphrase, NULL);
        for (X509 *issuer; identity->leaf && (issuer = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL));)
            sk_X509_push(identity->chain, issuer);
        BIO_free(pem);
    }
    if (!identity->leaf) describe_error("no PEM certificate in it", error, room);
    return identity->leaf;
}

static bool read_key(struct identity *identity, const char *file, char *error, size_t room) {
    BIO *pem = BIO_new_file(file, "r");
    if (pem) {
        identity->key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
        BIO_free(pem);
    }
    if (!identity->key) describe_error("no unencrypted PEM private key in it", error, room);
    return identity->key;
}

bool culvert_identities_add(culvert_identities_ref identities, const char *chain_pem_file,
                            const char *key_pem_file, char *error, size_t room) {
    struct identity *identity = calloc(1, sizeof *identity), **end = &identities->first;
    if (!identity) return false;
    ERR_clear_error();
    identity->chain = sk_X509_new_null();
    bool good = read_chain(identity, chain_pem_file, error, room);
    ERR_clear_error(); // reading a chain ends with "no start line"
    good = good && read_key(identity, key_pem_file, error, room);
    if (good && X509_check_private_key(identity->leaf, identity->key) != 1) {
        snprintf(error, room, "the key does not belong to the certificate");
        ERR_clear_error();
        good = false;
    }
    if (!good) {
        identity_free(identity);
        return false;
    }
    while (*end) end = &(*end)->next;
    *end = identity;
    return true;
}

// Per handshake, so that replacing certificates never touches a live connection; the one whose
// names match the SNI, else the first.
static int choose_identity(SSL *tls, void *argument) {
    culvert_loop_ref loop = argument;
    const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    struct identity *chosen = loop->identities ? loop->identities->first : NULL;
    if (!chosen) return 0;
    for (struct identity *one = chosen; name && one; one = one->next)
        if (X509_check_host(one->leaf, name, 0, 0, NULL) == 1) {
            chosen = one;
            break;
        }
    SSL_certs_clear(tls);
    return SSL_use_cert_and_key(tls, chosen->leaf, chosen->key, chosen->chain, 1);
}

int culvert_server_tls_prepare(culvert_loop_ref loop, SSL_CTX *tls) {
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_cert_cb(tls, choose_identity, loop);
    return 0;
}

void culvert_loop_use_identities(culvert_loop_ref loop, culvert_identities_ref identities) {
    loop->identities = identities;
}
