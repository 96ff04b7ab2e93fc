/* Assertions: the last words of a process. */
#include "engine/ground/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void nq_assert_failed(const char *claim, const char *file, uint32_t line) {
    (void)fprintf(stderr, "neuroquantum: assertion failed: %s (%s:%u)\n", claim, file,
                  (unsigned)line);
    abort();
}
