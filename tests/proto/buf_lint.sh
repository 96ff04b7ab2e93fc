#!/bin/bash
# buf lint (STANDARD and COMMENTS, proto/buf.yaml) and buf format over the protos. Builds buf from its Go module,
# once, under .build/go-tools.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.build/go-tools/bin
mkdir -p "$tools"
[ -x "$tools/buf" ] || GOBIN=$tools sdk/go/go.sh install github.com/bufbuild/buf/cmd/buf@v1.47.2
cd proto
"$tools/buf" lint && "$tools/buf" format --diff --exit-code --path neuroquantum && echo "ok buf lint"
