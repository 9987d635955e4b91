// What OpenSSL offers only as macros.
#ifndef CONTAINERZ_COPENSSL_SHIM_H
#define CONTAINERZ_COPENSSL_SHIM_H
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#endif
