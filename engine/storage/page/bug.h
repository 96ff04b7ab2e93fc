/* Bug: faults planted on purpose, to prove that the campaigns would find them.
 *
 * Nothing in a product build: NQ_HAS_BUG is the constant 0 and the branch is gone. Compiled with
 * -DNQ_PLANTED_BUGS (tests/engine/storage/store/bug_test.c) one of them can be switched on. */
#ifndef NQ_STORAGE_PAGE_BUG_H
#define NQ_STORAGE_PAGE_BUG_H

typedef enum nq_bug {
    NQ_BUG_NONE,
#define NQ_PLANTED(name, meaning) NQ_BUG_##name,
#include "engine/storage/page/bugs.def"
#undef NQ_PLANTED
    NQ_BUG_COUNT
} nq_bug;

#ifdef NQ_PLANTED_BUGS
extern nq_bug nq_planted_bug;
#define NQ_HAS_BUG(name) (nq_planted_bug == NQ_BUG_##name)
#else
#define NQ_HAS_BUG(name) 0
#endif

#endif
