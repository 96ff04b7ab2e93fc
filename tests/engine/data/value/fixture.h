/* What the tests of this room share: a context with an arena, and text as bytes. */
#ifndef NQ_TESTS_DATA_VALUE_FIXTURE_H
#define NQ_TESTS_DATA_VALUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/ctx.h"
#include "engine/ground/base/rng.h"

typedef struct fixture {
    nq_ctx ctx;
    nq_arena arena;
} fixture;

static inline void fixture_init(fixture *f) {
    nq_arena_init(&f->arena, 64 << 20);
    nq_ctx_init(&f->ctx, &f->arena);
}

static inline void fixture_deinit(fixture *f) {
    nq_arena_deinit(&f->arena);
}

static inline nq_bytes text_of(const char *text) {
    return nq_bytes_of_cstr(text);
}

static inline void assert_text(nq_bytes actual, const char *expected) {
    if (actual.size != strlen(expected) || memcmp(actual.data, expected, actual.size) != 0) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)actual.size, (const char *)actual.data, expected);
    }
}

#endif
