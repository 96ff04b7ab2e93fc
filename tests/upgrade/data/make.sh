#!/bin/bash
# How clean.tar.gz and killed.tar.gz were made: by a server of format 1, which this tree cannot build any more.
# make.sh SERVER NQ: its binaries (built from commit e19bc15). The rows expected are what that server itself exports,
# for the killed one after its own recovery.
set -euo pipefail
server=$(realpath "$1")
nq=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'kill -9 "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export NQ_SERVER_ADDR=127.0.0.1:50971

start() {
    "$server" --data-dir "$1" --listen "$NQ_SERVER_ADDR" 2>"$work/server.log" &
    pid=$!
    until "$nq" health >/dev/null 2>&1; do sleep 0.1; done
}

stop() {
    kill -"$1" "$pid"
    wait "$pid" || true
}

# Every table of the server as DIR/TABLE.csv.
export_all() {
    mkdir -p "$1"
    "$nq" tables -F csv | tail -n +2 | cut -d, -f1 | while read -r table; do
        "$nq" export "SELECT * FROM \"$table\" AS t ORDER BY 1" >"$1/$table.csv"
    done
}

mkdir clean killed
start clean/data
"$nq" -q -f "$here/tables.sql"
export_all clean/rows
stop TERM

start killed/data
"$nq" -q -f "$here/tables.sql"
"$nq" checkpoint
"$nq" -q -f "$here/later.sql"
(echo "BEGIN; DELETE FROM pairs;"; sleep 2) | "$nq" -q &
sleep 1
stop KILL
cp -r killed/data killed.recovered
start killed.recovered
export_all killed/rows
stop TERM

for name in clean killed; do
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$name" -cf - data rows | gzip -9n >"$here/$name.tar.gz"
done
