#!/bin/bash
# make nightly: what takes hours. Crash seeds, an hour of each fuzzer, the large corpora when NQ_CORPORA is given.
set -uo pipefail
cd "$(dirname "$0")/.."
deploy/dev/setup.sh test || exit 1
failures=0
run() {
    echo "nightly: $*"
    "$@" || failures=$((failures + 1))
}
run bazel test --noshow_progress --test_timeout=14400 --test_env=NQ_CRASH_SEEDS="${NQ_CRASH_SEEDS:-1000}" \
    --test_env=NQ_HISTORY_SEEDS="${NQ_HISTORY_SEEDS:-50000}" --test_env=NQ_MODEL_SEEDS="${NQ_MODEL_SEEDS:-5000}" \
    --test_env=NQ_KILL_ROUNDS="${NQ_KILL_ROUNDS:-1000}" \
    --test_env=NQ_DAMAGE_ROWS="${NQ_DAMAGE_ROWS:-1000000}" --test_env=NQ_CORPORA="${NQ_CORPORA:-}" //tests/engine/... //tests/sql/... //tests/crash/...
run tests/fuzz/run.sh "${NQ_FUZZ_SECONDS:-3600}"
echo "nightly: $failures failures"
[ "$failures" -eq 0 ]
