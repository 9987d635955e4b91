// The C library's password hashing, with memory that holds no password afterwards.
#ifndef CONTAINERZ_CCRYPT_SHIM_H
#define CONTAINERZ_CCRYPT_SHIM_H
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

/// crypt_r(3): the hash of `phrase` as `setting` says, in `output` of CRYPT_OUTPUT_SIZE bytes.
/// 0 when it was made, -1 when the setting is not understood or there is no memory.
static inline int cz_crypt(const char *phrase, const char *setting, char *output) {
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data) return -1;
    const char *hash = crypt_r(phrase, setting, data);
    int made = hash && hash[0] != '*' && strlen(hash) < CRYPT_OUTPUT_SIZE;
    if (made) strcpy(output, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return made ? 0 : -1;
}

enum { cz_crypt_output_size = CRYPT_OUTPUT_SIZE };
#endif
