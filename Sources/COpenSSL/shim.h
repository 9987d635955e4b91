// What OpenSSL offers only as macros.
#ifndef CONTAINERZ_COPENSSL_SHIM_H
#define CONTAINERZ_COPENSSL_SHIM_H
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// TLS 1.2 and 1.3, partial writes from a buffer that may move, records read ahead.
static inline int cz_ssl_ctx_configure(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    // With automatic retries one call of SSL_read goes on for as long as the peer sends handshake
    // messages, such as KeyUpdate.
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 64 * 1024);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
}

static inline int cz_ssl_ctx_require_tls13(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1;
}

/// The groups of the key exchange, in order of preference, separated by colons.
static inline int cz_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
    return SSL_CTX_set1_groups_list(context, groups) == 1;
}

/// The largest Certificate message that is read, in bytes.
static inline void cz_ssl_ctx_set_max_certificate_list(SSL_CTX *context, long size) {
    SSL_CTX_set_max_cert_list(context, size);
}

/// What the message callback of the session is given.
static inline void cz_ssl_set_message_argument(SSL *ssl, void *argument) {
    SSL_set_msg_callback_arg(ssl, argument);
}

static inline long cz_ssl_set_server_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}

static inline int cz_general_name_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

static inline GENERAL_NAME *cz_general_name(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

static inline void cz_general_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }

/// The text of a DNS name or URI; NULL for other kinds.
static inline const ASN1_IA5STRING *cz_general_name_text(const GENERAL_NAME *name, int *is_uri) {
    *is_uri = name->type == GEN_URI;
    if (name->type == GEN_URI) return name->d.uniformResourceIdentifier;
    if (name->type == GEN_DNS) return name->d.dNSName;
    return NULL;
}

/// The bytes of an IP address; NULL for other kinds.
static inline const ASN1_OCTET_STRING *cz_general_name_address(const GENERAL_NAME *name) {
    return name->type == GEN_IPADD ? name->d.iPAddress : NULL;
}

static inline EVP_PKEY *cz_new_p256_key(void) { return EVP_EC_gen("P-256"); }

static const int cz_utf8_string = MBSTRING_UTF8;

/// The subject's distinguished name as RFC 2253 writes it.
static inline int cz_print_subject(BIO *out, const X509 *certificate) {
    return X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
}

/// The same of who signed a list of revoked certificates.
static inline int cz_print_crl_issuer(BIO *out, const X509_CRL *list) {
    return X509_NAME_print_ex(out, X509_CRL_get_issuer(list), 0, XN_FLAG_RFC2253);
}

static inline int cz_error_reason(unsigned long error) { return ERR_GET_REASON(error); }
static inline int cz_error_is_key_mismatch(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH;
}

static inline int cz_error_is_ssl(unsigned long error) { return ERR_GET_LIB(error) == ERR_LIB_SSL; }

#endif
