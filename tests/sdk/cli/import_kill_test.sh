#!/bin/bash
# import_kill_test.sh [ROUNDS]: the server is killed -9 while nq loads a file, again and again; one command must
# bring every row exactly once, and what the server once had it must never lose. NQ_SERVER_BIN and NQ_BIN name the
# binaries; ROUNDS is 10.
set -uo pipefail
cd "$(dirname "$0")/../../.."
rounds=${1:-10}
binary=${NQ_SERVER_BIN:-$PWD/.build/bazel/bin/server/neuroquantumd}
nq=${NQ_BIN:-$PWD/.build/bazel/bin/sdk/cli/nq}
home=$(mktemp -d)
server=
stop() {
    [ -n "$server" ] && kill -9 "$server" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT

# A unix socket: its name does not change with the restarts, and nobody else can take it.
export NQ_SERVER_ADDR=unix:$home/socket
start() {
    "$binary" --data-dir "$home/data" --listen 127.0.0.1:0 --listen-unix "$home/socket" >"$home/out" 2>>"$home/err" &
    server=$!
    for _ in $(seq 200); do
        "$nq" health >/dev/null 2>&1 && return
        sleep 0.02
    done
    echo "not ok the server starts again"
    tail -n 20 "$home/err"
    exit 1
}
durable() {
    "$nq" -q -t -F csv -c 'SELECT count(*) FROM readings' 2>/dev/null || echo 0
}

# No primary key: a row that came twice would stay.
seq 300000 | awk '{ print $1 "," $1 % 97 "," "sensor-" $1 % 13 }' >"$home/readings.csv"
start
"$nq" import "$home/readings.csv" --table readings --create --columns id,value,name --batch-rows 2000 \
    2>"$home/import" &
import=$!
done_rounds=0
lost=0
while [ "$done_rounds" -lt "$rounds" ] && kill -0 "$import" 2>/dev/null; do
    sleep "0.0$((RANDOM % 8 + 1))"
    before=$(durable)
    kill -9 "$server"
    wait "$server" 2>/dev/null
    start
    after=$(durable)
    [ "$after" -ge "$before" ] || { lost=$((lost + 1)); echo "# had $before rows, has $after after the restart"; }
    done_rounds=$((done_rounds + 1))
done
wait "$import"
code=$?
answer=$("$nq" -q -t -F csv -c 'SELECT count(*), count(DISTINCT id), sum(id), sum(value) FROM readings')
wanted=$(awk -F, '{ n++; s += $1; v += $2 } END { printf "%d,%d,%.0f,%d", n, n, s, v }' "$home/readings.csv")
verdict() { # NAME CONDITION
    if eval "$2"; then echo "ok $1 ($done_rounds kills)"; else
        echo "not ok $1 ($done_rounds kills): exit code $code, $answer, wanted $wanted"
        tail -n 5 "$home/import"
    fi
}
verdict "no row the server once had is lost" '[ "$lost" -eq 0 ]'
verdict "one import brings every row exactly once" '[ "$code" -eq 0 ] && [ "$answer" = "$wanted" ]'
[ "$lost" -eq 0 ] && [ "$code" -eq 0 ] && [ "$answer" = "$wanted" ]
