#!/bin/bash
# make bench-storage: builds the driver, then runs every phase. Arguments go to it (--help lists them);
# through make:  make bench-storage ARGS='--only find,scan --peers ours,lmdb'
set -euo pipefail
cd "$(dirname "$0")/../.."
read -ra bazel <<<"${BAZEL:-bazel}"
"${bazel[@]}" build --noshow_progress --ui_event_filters=-info,-debug //bench/peers:peers >&2
# Beside the tree, not in /tmp: that may be memory, where a sync costs nothing.
export TMPDIR=${TMPDIR:-$PWD/.build}
exec "$("${bazel[@]}" info bazel-bin 2>/dev/null)/bench/peers/peers" "$@"
