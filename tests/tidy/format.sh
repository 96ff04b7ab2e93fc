#!/bin/bash
# Every C file is as clang-format leaves it; the cure is `make format`.
set -uo pipefail
cd "$(dirname "$0")/../.."
bad=$(git ls-files '*.c' '*.h' | xargs -P 2 -n 40 clang-format --output-replacements-xml -style=file |
    grep -c '<replacement ')
if [ "$bad" -ne 0 ]; then
    git ls-files '*.c' '*.h' | xargs -P 2 -n 1 clang-format --dry-run 2>&1 | grep 'warning:' | cut -d: -f1 | sort | uniq -c
    echo "format: $bad places differ; run 'make format'"
    exit 1
fi
echo "format: every C file is as clang-format leaves it"
