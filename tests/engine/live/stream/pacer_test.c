/* The pacer: credits are cumulative, pause wins, options keep their bounds, progress tells the
 * truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/live/stream/pacer.h"

static const int64_t second = 1000000000;

static nq_pacer start(nq_stream_options options) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_stream_options_check(&ctx, &options), NQ_OK);
    nq_pacer pacer;
    nq_pacer_init(&pacer, &options, 0);
    return pacer;
}

static void without_manual_grant_only_a_pause_holds_batches_back(void **state) {
    (void)state;
    nq_pacer pacer = start((nq_stream_options){0});
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_SEND);
        nq_pacer_note_sent(&pacer, 1, 1);
    }
    nq_pacer_pause(&pacer, true);
    assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_PAUSED);
    nq_pacer_pause(&pacer, false);
    assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_SEND);
}

static void grants_are_cumulative_and_never_shrink(void **state) {
    (void)state;
    nq_pacer pacer = start((nq_stream_options){.manual_grant = true, .initial_grant = 1});
    nq_pacer_note_sent(&pacer, 1, 1);
    assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_WAITING_CREDIT);
    nq_pacer_grant(&pacer, 3);
    nq_pacer_grant(&pacer, 3);
    nq_pacer_grant(&pacer, 2);
    nq_pacer_note_sent(&pacer, 1, 1);
    assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_SEND);
    nq_pacer_note_sent(&pacer, 1, 1);
    assert_int_equal(nq_pacer_next(&pacer), NQ_PACER_WAITING_CREDIT);
}

static void no_walk_of_controls_sends_more_than_was_granted(void **state) {
    (void)state;
    nq_rng rng = {3};
    nq_pacer pacer = start((nq_stream_options){.manual_grant = true});
    uint64_t granted = NQ_STREAM_GRANT_DEFAULT;
    for (int i = 0; i < 100000; i++) {
        uint64_t grant = nq_rng_below(&rng, (uint64_t)i + 1);
        switch (nq_rng_below(&rng, 4)) {
        case 0:
            granted = grant > granted ? grant : granted;
            nq_pacer_grant(&pacer, grant);
            break;
        case 1:
            nq_pacer_pause(&pacer, nq_rng_below(&rng, 2) == 0);
            break;
        default:
            if (nq_pacer_next(&pacer) == NQ_PACER_SEND) {
                nq_pacer_note_sent(&pacer, 1, 1);
            }
        }
        assert_true(pacer.batches_sent <= granted);
    }
    assert_true(pacer.batches_sent > 1000);
}

static void options_out_of_bounds_are_refused_by_name(void **state) {
    (void)state;
    const struct {
        nq_stream_options options;
        const char *field;
    } cases[] = {
        {{.batch_rows = 65537}, "batch_rows"},
        {{.batch_bytes = 1023}, "batch_bytes"},
        {{.batch_bytes = (1 << 20) + 1}, "batch_bytes"},
        {{.progress_interval_ns = 9999999}, "progress_interval"},
        {{.initial_grant = 1}, "initial_grant"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        assert_int_equal(nq_stream_options_check(&ctx, &cases[i].options), NQ_INVALID_ARGUMENT);
        assert_string_equal(ctx.error.object, cases[i].field);
    }
}

static void an_update_changes_only_what_it_names(void **state) {
    (void)state;
    nq_pacer pacer = start((nq_stream_options){.batch_rows = 10, .manual_grant = true});
    nq_pacer_update(&pacer, &(nq_stream_options){.batch_bytes = 4096});
    assert_int_equal(pacer.options.batch_rows, 10);
    assert_int_equal(pacer.options.batch_bytes, 4096);
    assert_true(pacer.options.manual_grant);
}

static void progress_is_due_by_time_or_by_rows(void **state) {
    (void)state;
    nq_pacer pacer = start((nq_stream_options){.progress_rows = 1000});
    assert_false(nq_pacer_progress_is_due(&pacer, second / 4));
    nq_pacer_note_sent(&pacer, 1000, 1);
    assert_true(nq_pacer_progress_is_due(&pacer, second / 4));
    assert_false(nq_pacer_progress_is_due(&pacer, second / 2));
    assert_true(nq_pacer_progress_is_due(&pacer, second));
}

static void progress_estimates_only_what_it_can_know(void **state) {
    (void)state;
    nq_pacer pacer = start((nq_stream_options){0});
    nq_pacer_note_sent(&pacer, 250, 1);
    nq_stream_progress progress;
    nq_pacer_describe(&pacer, 1000, second, &progress);
    assert_true(progress.fraction == 0.25);
    assert_true(progress.rows_per_second == 250);
    assert_int_equal(progress.remaining_ns, 3 * second);
    nq_pacer_describe(&pacer, UINT64_MAX, second, &progress);
    assert_true(progress.fraction == 0);
    assert_int_equal(progress.remaining_ns, -1);
    nq_pacer_describe(&pacer, 100, second, &progress);
    assert_true(progress.fraction == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_manual_grant_only_a_pause_holds_batches_back),
        cmocka_unit_test(grants_are_cumulative_and_never_shrink),
        cmocka_unit_test(no_walk_of_controls_sends_more_than_was_granted),
        cmocka_unit_test(options_out_of_bounds_are_refused_by_name),
        cmocka_unit_test(an_update_changes_only_what_it_names),
        cmocka_unit_test(progress_is_due_by_time_or_by_rows),
        cmocka_unit_test(progress_estimates_only_what_it_can_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
