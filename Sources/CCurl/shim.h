// curl_easy_setopt and its kin are variadic, which Swift does not import.
#ifndef CONTAINERZ_CCURL_SHIM_H
#define CONTAINERZ_CCURL_SHIM_H
#include <curl/curl.h>

static inline CURLcode cz_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cz_curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// For strings, lists and user data alike.
static inline CURLcode cz_curl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}

/// For the read, write and header functions, which have one type.
static inline CURLcode cz_curl_set_function(CURL *easy, CURLoption option,
                                            size_t (*value)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cz_curl_set_open_socket_function(
    CURL *easy, curl_socket_t (*value)(void *, curlsocktype, struct curl_sockaddr *)) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, value);
}

/// The address in it, which has `addrlen` bytes; the member is declared shorter.
static inline const struct sockaddr *cz_curl_address(const struct curl_sockaddr *address) {
    return &address->addr;
}

static inline CURLcode cz_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode cz_curl_get_size(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode cz_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode cz_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode cz_curl_multi_set_socket_function(
    CURLM *multi, int (*value)(CURL *, curl_socket_t, int, void *, void *)) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, value);
}

static inline CURLMcode cz_curl_multi_set_timer_function(
    CURLM *multi, int (*value)(CURLM *, long, void *)) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, value);
}

/// The easy handle of a finished transfer and its result, or NULL when there is none; the
/// message's result is in a union.
static inline CURL *cz_curl_multi_next_done(CURLM *multi, CURLcode *result) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

static const long cz_curl_http1 = CURL_HTTP_VERSION_1_1;

/// The bits of CURLOPT_SSH_AUTH_TYPES, macros that Swift does not import.
static const long cz_curl_ssh_key = CURLSSH_AUTH_PUBLICKEY;
static const long cz_curl_ssh_password = CURLSSH_AUTH_PASSWORD;
static const long cz_curl_ssh_agent = CURLSSH_AUTH_AGENT;

static const curl_socket_t cz_curl_socket_bad = CURL_SOCKET_BAD;
static const unsigned int cz_curl_url_default_port = CURLU_DEFAULT_PORT;
static const unsigned int cz_curl_url_punycode = CURLU_PUNYCODE;

static const size_t cz_curl_read_pause = CURL_READFUNC_PAUSE;
static const size_t cz_curl_read_abort = CURL_READFUNC_ABORT;
static const size_t cz_curl_write_pause = CURL_WRITEFUNC_PAUSE;
static const int cz_curl_pause_continue = CURLPAUSE_CONT;
#endif
