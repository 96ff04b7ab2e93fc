/* Clock, entropy, CPU, memory and thread names: what the machine answers makes sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/cpu.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/memory.h"
#include "engine/ground/os/thread.h"

static void the_monotonic_clock_never_goes_back(void **state) {
    (void)state;
    int64_t before = nq_clock_monotonic_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now = nq_clock_monotonic_ns();
        assert_true(now >= before);
        before = now;
    }
    int64_t start = nq_clock_monotonic_ns();
    nq_thread_sleep_ns(2000000);
    assert_true(nq_clock_monotonic_ns() - start >= 2000000);
}

static void the_coarse_clock_is_the_same_and_never_ahead(void **state) {
    (void)state;
    int64_t start = nq_clock_coarse_ns();
    int64_t now = start;
    while (now == start) {
        now = nq_clock_coarse_ns();
        assert_true(now >= start);
        assert_true(nq_clock_monotonic_ns() >= now);
    }
}

static void the_calendar_is_the_machines(void **state) {
    (void)state;
    int64_t seconds = nq_clock_realtime_us() / 1000000;
    int64_t reference = (int64_t)time(NULL);
    assert_in_range(reference - seconds + 5, 0, 10);
    assert_true(nq_clock_thread_cpu_ns() >= 0);
    assert_true(nq_clock_process_cpu_ns() >= nq_clock_thread_cpu_ns() - 1000000);
}

static void a_deadline_does_not_overflow(void **state) {
    (void)state;
    assert_true(nq_clock_deadline_ns(INT64_MAX) == INT64_MAX);
    assert_true(nq_clock_deadline_ns(1000000000) > nq_clock_monotonic_ns());
}

static void entropy_fills_all_of_it_and_differs_each_time(void **state) {
    (void)state;
    uint8_t first[1000];
    uint8_t second[1000];
    memset(first, 0, sizeof(first));
    nq_entropy_fill(first, sizeof(first));
    nq_entropy_fill(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_not_equal(first + 500, second + 500, 500);
    unsigned bits = 0;
    for (size_t i = 0; i < sizeof(first); i++) {
        bits += (unsigned)__builtin_popcount(first[i]);
    }
    assert_in_range(bits, 3600, 4400); /* 4000 expected, 45 is one standard deviation */
    assert_true(nq_entropy_u64() != nq_entropy_u64());
    nq_entropy_fill(NULL, 0);
}

static void the_machine_has_processors_and_memory(void **state) {
    (void)state;
    assert_in_range(nq_cpu_count(), 1, 4096);
    assert_true(nq_cpu_resident_bytes() > 100000);
    assert_true(nq_cpu_memory_bytes() > nq_cpu_resident_bytes());
}

static void memory_wished_huge_is_memory_as_any(void **state) {
    (void)state;
    enum { BYTES = 3 * NQ_MEMORY_HUGE_BYTES + 5000 };
    uint8_t *memory = nq_heap_alloc(BYTES);
    assert_non_null(memory);
    memset(memory, 1, BYTES / 2);
    nq_memory_prefer_huge(memory, BYTES);
    nq_memory_prefer_huge(memory, 1); /* too little: nothing happens */
    memset(memory + BYTES / 2, 2, BYTES - BYTES / 2);
    assert_int_equal(memory[0], 1);
    assert_int_equal(memory[BYTES / 2 - 1], 1);
    assert_int_equal(memory[BYTES - 1], 2);
    nq_heap_free(memory);
}

static void populated_memory_keeps_what_was_in_it(void **state) {
    (void)state;
    enum { BYTES = 4 << 20 };
    uint8_t *memory = nq_heap_alloc(BYTES);
    assert_non_null(memory);
    memset(memory, 3, BYTES / 2);
    nq_memory_populate(memory, BYTES);
    nq_memory_populate(memory + 10, 20); /* less than a page */
    assert_int_equal(memory[0], 3);
    assert_int_equal(memory[BYTES / 2 - 1], 3);
    memset(memory + BYTES / 2, 4, BYTES / 2);
    assert_int_equal(memory[BYTES - 1], 4);
    nq_heap_free(memory);
}

static void read_name(void *argument) {
    (void)pthread_getname_np(pthread_self(), argument, 16);
}

static void read_niceness(void *argument) {
    int *niceness = argument;
    niceness[0] = getpriority(PRIO_PROCESS, 0);
    nq_thread_lower_priority();
    niceness[1] = getpriority(PRIO_PROCESS, 0);
}

static void a_thread_that_gives_way_leaves_the_others_as_they_are(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_thread thread;
    int niceness[2];
    int before = getpriority(PRIO_PROCESS, 0);
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_thread_start(&ctx, &thread, "nq-patient", read_niceness, niceness), NQ_OK);
    nq_thread_join(&thread);
    assert_int_equal(niceness[0], before);
    assert_true(niceness[1] > before || before == 19); /* there is none lower */
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

static void discarded_memory_goes_back_and_stays_usable(void **state) {
    (void)state;
    enum { BYTES = 64 << 20, EDGE = 100 };
    uint8_t *memory = nq_heap_alloc(BYTES);
    assert_non_null(memory);
    memset(memory, 7, BYTES);
    uint64_t before = nq_cpu_resident_bytes();
    nq_memory_discard(memory + EDGE, BYTES - 2 * EDGE);
    assert_int_equal(memory[EDGE - 1], 7);
    assert_int_equal(memory[BYTES - EDGE], 7);
    uint8_t middle = memory[BYTES / 2]; /* an emulator may leave it as it was */
    assert_true(middle == 7 || (middle == 0 && nq_cpu_resident_bytes() < before - BYTES / 2));
    memset(memory, 8, BYTES);
    assert_int_equal(memory[BYTES / 2], 8);
    nq_memory_discard(memory + 10, 20); /* less than a page */
    assert_int_equal(memory[15], 8);
    nq_heap_free(memory);
}

static void a_thread_bears_its_name_cut_to_what_the_kernel_keeps(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_thread thread;
    char name[16] = "";
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_thread_start(&ctx, &thread, "nq-a-rather-long-name", read_name, name),
                     NQ_OK);
    nq_thread_join(&thread);
    assert_string_equal(name, "nq-a-rather-lon");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_coarse_clock_is_the_same_and_never_ahead),
        cmocka_unit_test(the_calendar_is_the_machines),
        cmocka_unit_test(a_deadline_does_not_overflow),
        cmocka_unit_test(entropy_fills_all_of_it_and_differs_each_time),
        cmocka_unit_test(the_machine_has_processors_and_memory),
        cmocka_unit_test(discarded_memory_goes_back_and_stays_usable),
        cmocka_unit_test(a_thread_that_gives_way_leaves_the_others_as_they_are),
        cmocka_unit_test(memory_wished_huge_is_memory_as_any),
        cmocka_unit_test(populated_memory_keeps_what_was_in_it),
        cmocka_unit_test(a_thread_bears_its_name_cut_to_what_the_kernel_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
