#!/bin/bash
# with_server.sh [--server BINARY] [--nq BINARY] COMMAND...: runs a command against a server of its own, on a
# free port and an empty data directory that vanishes afterwards. The command finds the server under
# NQ_SERVER_ADDR, the binaries under NQ_SERVER_BIN and NQ_BIN. An NQ_SERVER_ADDR that is set is used as it is.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export NQ_SERVER_BIN=${NQ_SERVER_BIN:-$root/.build/bazel/bin/server/neuroquantumd}
export NQ_BIN=${NQ_BIN:-$root/.build/bazel/bin/sdk/cli/nq}
while :; do
    case ${1:-} in
    --server) NQ_SERVER_BIN=$(realpath "$2") ;;
    --nq) NQ_BIN=$(realpath "$2") ;;
    *) break ;;
    esac
    shift 2
done
if [ -n "${NQ_SERVER_ADDR:-}" ]; then
    exec "$@"
fi
[ -x "$NQ_SERVER_BIN" ] || { echo "with_server.sh: no server at $NQ_SERVER_BIN: build //server:neuroquantumd" >&2; exit 1; }
home=$(mktemp -d)
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT
touch "$home/out"
"$NQ_SERVER_BIN" --data-dir "$home/data" --listen 127.0.0.1:0 >"$home/out" 2>"$home/err" &
server=$!
for _ in $(seq 400); do
    NQ_SERVER_ADDR=$(sed -n 's/^neuroquantumd .* on \([^ ]*:[0-9]*\)$/\1/p' "$home/out")
    [ -n "$NQ_SERVER_ADDR" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
done
if [ -z "$NQ_SERVER_ADDR" ]; then
    echo "with_server.sh: the server did not start" >&2
    cat "$home/err" >&2
    exit 1
fi
export NQ_SERVER_ADDR
"$@"
code=$?
if ! kill -0 "$server" 2>/dev/null; then
    echo "with_server.sh: the server did not survive" >&2
    tail -n 40 "$home/err" >&2
    code=1
fi
exit "$code"
