#!/bin/bash
# make tidy: clang-tidy, as .clang-tidy says, over the product's C with the flags that Bazel compiles it with.
#
# clang_tidy.sh [PREFIX...]: only files whose path begins with one of these. Takes minutes for everything, so
# it is no stage of `make test`. Prints each finding once; the last line counts.
set -uo pipefail
cd "$(dirname "$0")/../.."
OUT=$PWD/.build/tidy
BAZEL=(bazel --max_idle_secs=120)
TARGETS=(//engine/... //server/...)
mkdir -p "$OUT"

# Headers that are generated must be there.
"${BAZEL[@]}" build --noshow_progress "${TARGETS[@]}" >"$OUT/build.log" 2>&1 || {
    tail -n 30 "$OUT/build.log"
    exit 1
}
root=$("${BAZEL[@]}" info execution_root 2>/dev/null) || exit 1
"${BAZEL[@]}" aquery --output=jsonproto "mnemonic('CppCompile', ${TARGETS[0]} + ${TARGETS[1]})" 2>/dev/null |
    python3 tests/tidy/compile_commands.py "$root" >"$OUT/compile_commands.json" || exit 1

pattern=$(IFS='|'; echo "^(${*:-engine/|server/})")
mapfile -t files < <(python3 -c 'import json, sys
for command in json.load(open(sys.argv[1])): print(command["file"])' "$OUT/compile_commands.json" | grep -E "$pattern")
[ "${#files[@]}" -gt 0 ] || {
    echo "clang-tidy: no file begins with: $*"
    exit 1
}
(cd "$root" && printf '%s\n' "${files[@]}" |
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet --config-file="$OLDPWD/.clang-tidy" -p "$OUT" \
        --extra-arg=-Wno-unknown-warning-option) >"$OUT/findings.log" 2>"$OUT/errors.log"
code=$?
sed -E "s#^$root/##" "$OUT/findings.log" | grep -E '^[^ ]+:[0-9]+:[0-9]+: (error|warning):' | sort -u >"$OUT/findings.txt"
cat "$OUT/findings.txt"
found=$(wc -l <"$OUT/findings.txt")
echo "clang-tidy: ${#files[@]} files, $found findings (in full: .build/tidy/findings.log)"
[ "$code" -eq 0 ] && [ "$found" -eq 0 ]
