#!/bin/bash
# Remakes v1/ from ../../proto, or into the directory given. Needs protoc (protobuf-compiler) and Go.
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m "${1:-.}")
tools=$(realpath -m ../../.build/sdk-go)
export GOBIN=$tools/bin
mkdir -p "$GOBIN" "$target"
command -v protoc >/dev/null || { echo "generate.sh: needs protoc (apt-get install protobuf-compiler)" >&2; exit 1; }
[ -x "$GOBIN/protoc-gen-go" ] || go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6
[ -x "$GOBIN/protoc-gen-go-grpc" ] || go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
# The versions of protoc in the generated headers differ from machine to machine; they say nothing.
protoc -I ../../proto -I /usr/include \
    --plugin="$GOBIN/protoc-gen-go" --plugin="$GOBIN/protoc-gen-go-grpc" \
    --go_out="$target" --go_opt=module=neuroquantum.dev/go/neuroquantum \
    --go-grpc_out="$target" --go-grpc_opt=module=neuroquantum.dev/go/neuroquantum \
    ../../proto/neuroquantum/v1/*.proto
sed -i '/^\/\/ \(- \)\?\s*protoc /d; /^\/\/ \tprotoc /d' "$target"/v1/*.go
