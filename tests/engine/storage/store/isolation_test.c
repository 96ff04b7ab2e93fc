/* Isolation: see campaign_isolation.c for the schedules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/storage/support/campaign.h"

static void every_level_keeps_its_promises(void **state) {
    (void)state;
    const char *failure = campaign_isolation();
    if (failure != NULL) {
        fail_msg("%s", failure);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_keeps_its_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
