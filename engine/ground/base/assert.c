/* Assert: the last words of a process that found a bug in itself. */
#include "engine/ground/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void nq_assert_failed(const char *claim, const char *file, int line) {
    (void)fprintf(stderr, "assertion failed: %s at %s:%d\n", claim, file, line);
    abort();
}
