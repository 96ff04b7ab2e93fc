#!/bin/bash
# Proves that v1/ is what the protos say, then runs the tests against the server at NQ_SERVER_ADDR
# (tests/sdk/with_server.sh starts one). Needs Go and protoc; see go.sh and generate.sh.
set -euo pipefail
cd "$(dirname "$0")"
source ./go.sh
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
./generate.sh "$fresh"
diff -r "$fresh/v1" v1 >/dev/null ||
    { echo "test.sh: sdk/go/v1 is not what the protos say: run sdk/go/generate.sh" >&2; exit 1; }
go vet ./...
go test -count=1 ./... "$@"
