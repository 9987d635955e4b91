#ifndef CFUZZER_SHIM_H
#define CFUZZER_SHIM_H

#include <stddef.h>
#include <stdint.h>

/// libFuzzer's main loop (compiler-rt, FuzzerInterface.h has the callback, FuzzerDriver.cpp this).
int LLVMFuzzerRunDriver(
    int *count, char ***arguments, int (*run)(const uint8_t *bytes, size_t size));

#endif
