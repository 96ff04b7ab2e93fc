#!/bin/bash
# make bench-smoke: import, query, stream and fan-out, beside SQLite and Redis in one run; and fan-out with subscribers
# that do not read, beside itself without. Arguments choose parts: rows, fanout, stalled.
#
# With NQ_CORPORA=DIR the data is DIR's nab_real.csv.zst, otherwise as many made-up rows of the same shape.
set -euo pipefail
cd "$(dirname "$0")/../.."
bazel --max_idle_secs=60 build --noshow_progress --ui_event_filters=-info,-debug \
    //server:neuroquantumd //bench/workload:smoke
scratch=$(mktemp -d)
redis=
trap 'kill $redis 2>/dev/null; rm -rf "$scratch"' EXIT
# Without corpora find fails, and there is none.
corpus=$(find "${NQ_CORPORA:-/nonexistent}" -name nab_real.csv.zst 2>/dev/null | head -n 1 || true)
if [ -n "$corpus" ]; then
    echo "data: $corpus"
    zstd -dqc "$corpus" >"$scratch/data.csv"
else
    echo "data: generated"
    awk 'BEGIN { srand(7); for (s = 0; s < 58; s++) for (i = 0; i < 5538; i++)
        printf "series_%02d,2014-%02d-%02d %02d:%02d:00,%.6f\n", s, i / 2000 + 1, i / 70 % 28 + 1, i / 12 % 24, i % 12 * 5, rand() * 100 }' \
        >"$scratch/data.csv"
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no \
    --client-output-buffer-limit 'pubsub 0 0 0' >"$scratch/redis.log" 2>&1 &
redis=$!
# shellcheck disable=SC2016
tests/sdk/with_server.sh bash -c \
    '.build/bazel/bin/bench/workload/smoke "$NQ_SERVER_ADDR" "$@"' smoke "$port" "$scratch/lite.db" "$scratch/data.csv" "$@"
