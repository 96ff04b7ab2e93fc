#!/bin/bash
# make bench-rpc: builds the servers, then lets run.py load them in turn. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
read -ra bazel <<<"${BAZEL:-bazel}"
for tool in h2load nghttp python3; do
    command -v "$tool" >/dev/null || { echo "bench-rpc: $tool is missing (deploy/dev/setup.sh bench)" >&2; exit 1; }
done
"${bazel[@]}" build //bench/rpc:echo_server //bench/rpc:cpp_echo_server //bench/rpc:ng_echo_server \
    //server:neuroquantumd >&2
NQ_BENCH_BIN=$("${bazel[@]}" info bazel-bin 2>/dev/null)
export NQ_BENCH_BIN
exec python3 bench/rpc/run.py "$@"
