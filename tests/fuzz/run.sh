#!/bin/bash
# Fuzzes every target of tests/fuzz for SECONDS (60), two at a time, starting from the kept corpus.
#
# Prints "ok NAME …" or "not ok NAME" with the input that did it. Findings are kept in .build/fuzz/NAME;
# one that is fixed belongs in tests/fuzz/corpus/NAME.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
mapfile -t targets < <(sed -nE 's/^ *name = "([a-z0-9_]+_fuzz)",$/\1/p' tests/fuzz/BUILD)
[ "$#" -gt 0 ] && targets=("$@")
base=.build/fuzz
mkdir -p "$base"

bazel --max_idle_secs=60 --output_base="$PWD/.build/bazel-fuzz" build --config=fuzz --noshow_progress --keep_going \
    --symlink_prefix=.build/fuzz-bin/ "${targets[@]/#//\/tests/fuzz:}" || exit 1

fuzz_one() {
    local name=$1 seconds=$2 log
    log=.build/fuzz/$name.log
    mkdir -p ".build/fuzz/$name"
    if .build/fuzz-bin/bin/tests/fuzz/"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix=".build/fuzz/$name." \
        ".build/fuzz/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        echo "ok $name $(sed -nE 's/stat::number_of_executed_units: *//p' "$log") runs in $seconds s"
    else
        echo "not ok $name"
        tail -n 40 "$log"
    fi
}
export -f fuzz_one
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c "fuzz_one {} $seconds" | tee "$base/result"
! grep -q '^not ok' "$base/result"
