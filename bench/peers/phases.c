/* Phases: the table of phases.def. */
#include "bench/peers/phase.h"

#define INSERT              .operation = OPERATION_INSERT
#define UPDATE              .operation = OPERATION_UPDATE
#define REMOVE              .operation = OPERATION_REMOVE
#define DURABLE             .is_durable = true
#define CONFINED            .is_confined = true, .is_cold = true
#define KILLED_AFTER(share) .run_until_killed = run_until_killed, .rows_per_mille = (share)

const bench_phase phases[] = {
#define PHASE(name_, base_, usage_, run_, ...) \
    {.name = #name_, .base = BASE_##base_, .usage = USE_##usage_, .run = run_, __VA_ARGS__},
#include "bench/peers/phases.def"
#undef PHASE
};

const size_t phase_count = sizeof(phases) / sizeof(phases[0]);

const bench_phase *phase_of_base(bench_base base) {
    for (size_t i = 0; i < phase_count; i++) {
        if (phases[i].base == base && phases[i].usage == USE_NEW) {
            return &phases[i];
        }
    }
    return NULL;
}
