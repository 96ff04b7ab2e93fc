#!/bin/bash
# make test: everything, stage by stage. `tests/run.sh STAGE...` runs some; `tests/run.sh list` names them.
#
# Every stage writes .build/test/STAGE.log and is shown only when it fails. The last line is
# "N passed, N failed"; the exit code is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."

STAGES=(tidy unit sanitize threads layering fuzz sdk arm64)
LOGS=.build/test
BAZEL=(bazel --max_idle_secs=120)
FUZZ_SECONDS=${NQ_FUZZ_SECONDS:-60}
passed=0
failed=0

# Counts the targets of one `bazel test` run, and fails with it.
bazel_test() {
    "${BAZEL[@]}" test --noshow_progress --keep_going --test_summary=short "$@" 2>&1
}

stage_tidy() {
    python3 tests/tidy/tidy.py && tests/tidy/format.sh && docs/reference/generate.py --check
}
# The benchmarks need peers that a test machine may lack.
stage_unit() {
    bazel_test -- //... -//bench/...
}
stage_sanitize() {
    bazel_test --config=asan --config=ubsan --test_tag_filters=-no-asan //tests/engine/... //tests/server/... //tests/sdk/...
}
stage_threads() {
    bazel_test --config=tsan --test_tag_filters=threads //tests/engine/... //tests/server/...
}
stage_layering() {
    tests/layering/symbols.sh && tests/layering/run.sh
}
stage_fuzz() {
    tests/fuzz/run.sh "$FUZZ_SECONDS"
}
stage_sdk() {
    tests/rpc/run.sh
}
stage_arm64() {
    deploy/dev/setup.sh arm64 && bazel_test --config=arm64 --test_tag_filters=-no-arm64 \
        //tests/engine/... //tests/sdk/device/...
}
stage_clang-tidy() {
    tests/tidy/clang_tidy.sh
}

# Test targets by Bazel's own summary; a stage that is not Bazel's counts its "ok"/"not ok" lines, or as one.
count() {
    local log=$1 code=$2 good bad
    good=$(grep -cE '^//[^ ]+ .*PASSED|^ok ' "$log")
    bad=$(grep -cE '^//[^ ]+ .*(FAILED|TIMEOUT|NO STATUS)|^not ok ' "$log")
    [ "$good" -eq 0 ] && [ "$bad" -eq 0 ] && [ "$code" -eq 0 ] && good=1
    [ "$bad" -eq 0 ] && [ "$code" -ne 0 ] && bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
}

if [ "${1:-}" = list ]; then
    printf '%s\n' "${STAGES[@]}" clang-tidy
    exit 0
fi
mkdir -p "$LOGS"
deploy/dev/setup.sh test || exit 1
echo "corpora: ${NQ_CORPORA:-not given (NQ_CORPORA); tests run on the data they ship}"
for stage in "${@:-${STAGES[@]}}"; do
    started=$SECONDS
    "stage_$stage" >"$LOGS/$stage.log" 2>&1
    code=$?
    count "$LOGS/$stage.log" "$code"
    verdict=ok
    if [ "$code" -ne 0 ]; then
        verdict=FAILED
        tail -n 60 "$LOGS/$stage.log"
    fi
    printf '%-12s %-7s %4d s\n' "$stage" "$verdict" $((SECONDS - started))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
