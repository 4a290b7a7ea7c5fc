/* fuzz.h -- what all fuzz targets share. */
#ifndef RP_TESTS_FUZZ_FUZZ_H
#define RP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "io/base/bytes.h"

/* libFuzzer's entry: one input. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif
