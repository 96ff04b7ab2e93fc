#!/bin/bash
# go.sh ARGUMENTS...: runs a Go of at least 1.23: the one on the path, or one that Debian's old Go fetches from
# the module proxy as the module it is published as. Source it with no arguments for the path alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
wanted=v0.0.1-go1.24.4.linux-$(dpkg --print-architecture 2>/dev/null || echo amd64)
recent() { "$1" version 2>/dev/null | grep -Eq 'go1\.(2[3-9]|[3-9][0-9])'; }
go=
if command -v go >/dev/null && recent go; then
    go=$(command -v go)
elif [ -x "$root/.build/go/bin/go" ]; then
    go=$root/.build/go/bin/go
else
    command -v go >/dev/null || { echo "go.sh: needs Go (apt-get install golang-go)" >&2; exit 1; }
    scratch=$(mktemp -d)
    from=$(cd "$scratch" && GOFLAGS=-mod=mod go mod download -json "golang.org/toolchain@$wanted" |
        sed -n 's/^\s*"Dir": "\(.*\)",\?$/\1/p')
    rm -rf "$scratch"
    [ -n "$from" ] || { echo "go.sh: the Go module proxy cannot be reached" >&2; exit 1; }
    mkdir -p "$root/.build"
    rm -rf "$root/.build/go"
    cp -r "$from" "$root/.build/go"
    chmod -R u+w "$root/.build/go"
    chmod +x "$root"/.build/go/bin/* "$root"/.build/go/pkg/tool/*/*
    go=$root/.build/go/bin/go
fi
export GOTOOLCHAIN=local PATH="$(dirname "$go"):$PATH"
[ "$#" -eq 0 ] || exec "$go" "$@"
