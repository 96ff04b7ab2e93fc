#!/bin/bash
# Upgrading as an operator meets it: the server refuses an old directory and says what to run; after that every row is
# what the old server exported. upgrade_test.sh SERVER NQ FIXTURE...
set -uo pipefail
server=$PWD/$1
nq=$PWD/$2
shift 2
work=$(mktemp -d)
failures=0
pid=
trap 'kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

check() {
    if "${@:2}" >"$work/said" 2>&1; then
        echo "ok $1"
    else
        failures=$((failures + 1))
        echo "not ok $1"
        sed 's/^/    /' "$work/said"
    fi
}

# says PATTERN CODE COMMAND...: its exit code, and a line of what it says.
says() {
    local code=0
    "${@:3}" >"$work/output" 2>&1 || code=$?
    cat "$work/output"
    [ "$code" -eq "$2" ] && grep -Eq -- "$1" "$work/output"
}

start() {
    "$server" --data-dir "$1" --listen 127.0.0.1:0 >"$work/greeting" 2>"$work/log" &
    pid=$!
    local tries=0
    until export NQ_SERVER_ADDR && NQ_SERVER_ADDR=$(sed -n 's/.* serves .* on //p' "$work/greeting") && [ -n "$NQ_SERVER_ADDR" ] &&
        "$nq" health >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] && kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
}

stop() {
    kill "$pid" && wait "$pid"
}

same_rows() {
    local expected table
    for expected in "$1"/*.csv; do
        table=$(basename "$expected" .csv)
        "$nq" export "SELECT * FROM \"$table\" AS t ORDER BY 1" >"$work/rows.csv" || return 1
        cmp "$expected" "$work/rows.csv" || return 1
    done
}

same_tables() {
    diff <("$nq" tables -F csv | tail -n +2 | cut -d, -f1 | sort) <(cd "$1" && ls | sed 's/\.csv$//' | sort)
}

same_files() {
    cmp "$1/data.nqdb" "$2/data.nqdb" && diff -r "$1/log" "$2/log"
}

for fixture in "$@"; do
    name=$(basename "$fixture" .tar.gz)
    mkdir "$work/$name"
    tar -xzf "$fixture" -C "$work/$name"
    directory=$work/$name/data
    cp -r "$directory" "$work/$name/before"
    check "$name: the server refuses it and says what to run" \
        says "Run: neuroquantumd --upgrade --data-dir $directory\$" 3 "$server" --data-dir "$directory" --listen 127.0.0.1:0
    check "$name: and leaves it alone" diff -r "$directory" "$work/$name/before"
    check "$name: it is upgraded" says "is upgraded: .* $directory/format-1" 0 "$server" --upgrade --data-dir "$directory"
    check "$name: the old files are kept" same_files "$directory/format-1" "$work/$name/before"
    check "$name: and nothing else is left behind" test ! -e "$directory/upgrade"
    check "$name: once more does nothing" says "format already" 0 "$server" --upgrade --data-dir "$directory"
    check "$name: the server starts" start "$directory"
    check "$name: an upgrade beside it is refused" says "is held by another process" 3 \
        "$server" --upgrade --data-dir "$directory"
    check "$name: it has the old tables" same_tables "$work/$name/rows"
    check "$name: it has the old rows" same_rows "$work/$name/rows"
    check "$name: generated ids go on" says '^\(1 row\)|^ +[0-9]+$' 0 \
        "$nq" -c "INSERT INTO every_type (i) VALUES (1) RETURNING id"
    check "$name: tables can be made" "$nq" -c "CREATE TABLE made_later (id INT PRIMARY KEY); INSERT INTO made_later VALUES (1)"
    check "$name: it stops" stop
    check "$name: and starts again" start "$directory"
    check "$name: with everything" says '^ +1$' 0 "$nq" -c "SELECT count(*) AS n FROM made_later"
    stop
done
exit "$failures"
