#!/bin/bash
# Installs what a purpose needs and this machine lacks: setup.sh build|test|arm64|bench ...
#
# Debian packages only (Go modules, PyPI and Maven are fetched by the SDKs' own tools). Does nothing,
# and asks nothing of the network, when everything is there.
set -euo pipefail

BUILD=(gcc g++ make git bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-skylib bazel-platforms
    libgrpc-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev lemon xxd
    libxxhash-dev libisal-dev liblz4-dev libzstd-dev libutf8proc-dev libyaml-dev libjansson-dev libedit-dev
    zlib1g-dev libssl-dev python3)
TEST=(libcmocka-dev nanopb libnanopb-dev libnghttp2-dev libsqlite3-dev sqlite3 clang clang-format clang-tidy libclang-rt-14-dev zstd curl procps
    python3-venv python3-pip golang-go default-jdk-headless maven)
ARM64=(mmdebstrap gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user-static)
BENCH=(libgrpc++-dev protobuf-compiler-grpc nghttp2-client libnghttp2-dev redis-server libhiredis-dev
    libsqlite3-dev sqlite3 zstd liblmdb-dev librocksdb-dev libwiredtiger-dev libdb5.3-dev)
SYSROOT=/opt/arm64-sysroot
SYSROOT_PACKAGES=libgrpc-dev,libprotobuf-c-dev,libcmocka-dev,libnanopb-dev,libnghttp2-dev,libssl-dev,libc6-dev,libstdc++-12-dev,libxxhash-dev,libisal-dev,liblz4-dev,libzstd-dev,libutf8proc-dev,libyaml-dev,libjansson-dev,libedit-dev,libsqlite3-dev

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# A Go, JDK or Maven from elsewhere serves as well as Debian's.
provided() {
    case "$1" in
    golang-go) command -v go ;;
    default-jdk-headless) command -v javac ;;
    maven) command -v mvn ;;
    *) false ;;
    esac >/dev/null 2>&1
}

missing_of() {
    local package
    for package in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed &&
            ! provided "$package"; then
            printf '%s\n' "$package"
        fi
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        fail "not root and no password-less sudo. As root, run:  apt-get install ${missing[*]}"
    fi
}

make_sysroot() {
    [ -e "$SYSROOT/.packages" ] && [ "$(cat "$SYSROOT/.packages")" = "$SYSROOT_PACKAGES" ] && return
    echo "setup: making the arm64 sysroot in $SYSROOT"
    as_root rm -rf "$SYSROOT"
    as_root mmdebstrap --quiet --variant=extract --architectures=arm64 \
        --include="$SYSROOT_PACKAGES" bookworm "$SYSROOT" ||
        fail "could not make the arm64 sysroot; is the Debian mirror reachable?"
    printf '%s' "$SYSROOT_PACKAGES" | as_root tee "$SYSROOT/.packages" >/dev/null
}

command -v apt-get >/dev/null || fail "this script installs with apt-get: it needs Debian 12"
wanted=()
for purpose in "$@"; do
    case "$purpose" in
    build) wanted+=("${BUILD[@]}") ;;
    test) wanted+=("${BUILD[@]}" "${TEST[@]}") ;;
    arm64) wanted+=("${BUILD[@]}" "${ARM64[@]}") ;;
    bench) wanted+=("${BUILD[@]}" "${BENCH[@]}") ;;
    *) fail "unknown purpose '$purpose': build, test, arm64 or bench" ;;
    esac
done
mapfile -t missing < <(missing_of "${wanted[@]}" | sort -u)
if [ "${#missing[@]}" -gt 0 ]; then
    echo "setup: installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq ||
        fail "the Debian mirror cannot be reached; connect, or install by hand: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null || fail "apt-get could not install: ${missing[*]}"
fi
case " $* " in *" arm64 "*) make_sysroot ;; esac
