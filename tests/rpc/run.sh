#!/bin/bash
# Clients that are not built by Bazel, each against a server of its own:
# grpcurl and ghz, and the Python, Go and Java clients. Prints one "ok" or "not ok" line per part or behaviour.
set -uo pipefail
cd "$(dirname "$0")/../.."
logs=.build/test/rpc
mkdir -p "$logs"
bazel --max_idle_secs=120 build --noshow_progress //server:neuroquantumd //sdk/cli:nq >"$logs/build.log" 2>&1 || {
    cat "$logs/build.log"
    echo "not ok the server and the command line build"
    exit 1
}
failures=0

# part NAME COMMAND...: its own lines if it prints any, one line for all of it otherwise.
part() {
    local name=$1 log
    log=$logs/${name// /-}.log
    shift
    "$@" >"$log" 2>&1
    local code=$?
    if grep -Eq '^(not )?ok ' "$log"; then
        grep -Ev '^$' "$log"
        [ "$code" -eq 0 ] || grep -q '^not ok ' "$log" || echo "not ok $name ended with $code"
    elif [ "$code" -eq 0 ]; then
        echo "ok $name"
    else
        tail -n 60 "$log"
        echo "not ok $name"
    fi
    [ "$code" -eq 0 ] || failures=$((failures + 1))
}

served=tests/sdk/with_server.sh
part "grpcurl and ghz" $served tests/rpc/grpcurl_test.sh
part "Python client" $served sdk/python/test.sh
part "Go client" $served sdk/go/test.sh
part "Java client" $served sdk/java/test.sh
[ "$failures" -eq 0 ]
