/* What the oracle's files share. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_ORACLE_INTERNAL_H
#define NQ_TESTS_STORAGE_SUPPORT_ORACLE_INTERNAL_H

#include "tests/engine/storage/support/oracle.h"

/* Takes every call that waits as far as it comes. */
void oracle__settle(oracle *o);

#endif
