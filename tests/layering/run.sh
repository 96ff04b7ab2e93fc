#!/bin/bash
# The floor plan is enforced, not asked for: three deliberate trespasses on a copy of the tree must not build.
set -uo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'bazel --output_base="$scratch/base" shutdown >/dev/null 2>&1; rm -rf "$scratch"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$scratch" 2>/dev/null || true
cd "$scratch"
failures=0

# must_fail NAME PATTERN TARGET: building TARGET must fail with PATTERN.
must_fail() {
    local output
    if output=$(bazel --output_base="$scratch/base" build --noshow_progress "$3" 2>&1); then
        echo "not ok $1: it built"
        failures=$((failures + 1))
    elif ! grep -qE "$2" <<<"$output"; then
        echo "not ok $1: failed for another reason"
        tail -n 5 <<<"$output"
        failures=$((failures + 1))
    else
        echo "ok $1"
    fi
}

trespass() { # ROOM-DIRECTORY DEPENDENCY INCLUDE
    cat >"$1/trespass.c" <<CODE
/* A deliberate trespass. */
#include "$3"
CODE
    if [ -n "$2" ]; then
        sed -i -E "s|nq_room\(|nq_room(srcs = [], |; s|deps = \[|deps = [\"$2\", |" "$1/BUILD"
        grep -q "$2" "$1/BUILD" || sed -i "s|srcs = \[\], |deps = [\"$2\"], |" "$1/BUILD"
    fi
}

cp -r engine/ground/obs "$scratch/keep_obs"
trespass engine/ground/obs //engine/storage/store engine/storage/store/store.h
must_fail "a lower room cannot depend on a higher one" "not visible from target|cycle in dependency" //engine/ground/obs
rm -rf engine/ground/obs && mv "$scratch/keep_obs" engine/ground/obs

cp -r engine/ground/obs "$scratch/keep_obs"
trespass engine/ground/obs "" engine/storage/store/store.h
must_fail "an undeclared include is not found" "No such file or directory" //engine/ground/obs
rm -rf engine/ground/obs && mv "$scratch/keep_obs" engine/ground/obs

trespass server/config //engine/storage/store engine/storage/store/store.h
must_fail "the server cannot see a page" "not visible from target" //server/config
exit "$failures"
