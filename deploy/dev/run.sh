#!/bin/bash
# make run: build the server and start it on an embedded data directory.
#
# NQ_DATA (./data) and NQ_LISTEN (127.0.0.1:50051) may be set; everything else is the server's default.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/dev/setup.sh build
echo "run: building (the first time takes a minute or two)"
bazel --max_idle_secs=60 build --noshow_progress --ui_event_filters=-info,-debug \
    //server:neuroquantumd //sdk/cli:nq
mkdir -p .build/bin
install -m 755 .build/bazel/bin/server/neuroquantumd .build/bazel/bin/sdk/cli/nq .build/bin/
exec .build/bin/neuroquantumd --data-dir "${NQ_DATA:-data}" --listen "${NQ_LISTEN:-127.0.0.1:50051}" "$@"
