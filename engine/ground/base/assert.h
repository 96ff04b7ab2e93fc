/* Assertions: for our own bugs, and always on. What comes from disk, wire or user is checked and
 * becomes a status instead. */
#ifndef NQ_GROUND_BASE_ASSERT_H
#define NQ_GROUND_BASE_ASSERT_H

#include <stdint.h>

/* Prints the claim and where it stands to stderr, and aborts. */
_Noreturn void nq_assert_failed(const char *claim, const char *file, uint32_t line);

#define NQ_ASSERT(claim)                                                                    \
    (__builtin_expect(!(claim), 0) ? nq_assert_failed(#claim, __FILE__, (uint32_t)__LINE__) \
                                   : (void)0)

/* A place the program cannot reach. */
#define NQ_UNREACHABLE() nq_assert_failed("unreachable", __FILE__, (uint32_t)__LINE__)

#endif
