/* Assert: for bugs only, and always on. Data from disk, wire or user is checked and becomes a
 * status. */
#ifndef NQ_GROUND_BASE_ASSERT_H
#define NQ_GROUND_BASE_ASSERT_H

/* Writes the claim and its place to stderr and aborts. */
void nq_assert_failed(const char *claim, const char *file, int line)
    __attribute__((noreturn, cold));

#define NQ_ASSERT(claim)                                  \
    do {                                                  \
        if (__builtin_expect(!(claim), 0)) {              \
            nq_assert_failed(#claim, __FILE__, __LINE__); \
        }                                                 \
    } while (0)

#endif
