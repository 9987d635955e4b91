// curl_easy_setopt and its kin are variadic, which Swift does not import.
#ifndef CONTAINERZ_CCURL_SHIM_H
#define CONTAINERZ_CCURL_SHIM_H
#include <curl/curl.h>
#endif
