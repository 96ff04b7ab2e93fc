#!/bin/sh
# Runs SQLite's sqllogictest corpus when NQ_CORPORA names a directory that holds slt-smoke.tar.zst.
set -eu
runner=$1
known=$2
archive=${NQ_CORPORA:-}/slt-smoke.tar.zst
if [ -z "${NQ_CORPORA:-}" ] || [ ! -f "$archive" ]; then
    echo "NQ_CORPORA names no directory with slt-smoke.tar.zst: the corpus was not run"
    exit 0
fi
directory=$(mktemp -d "${TEST_TMPDIR:-/tmp}/corpus.XXXXXX")
trap 'rm -rf "$directory"' EXIT
tar --zstd -xf "$archive" -C "$directory"
find "$directory" -name '*.test' | sort > "$directory/list"
echo "NQ_CORPORA=$NQ_CORPORA: $(wc -l < "$directory/list") files of the corpus"
xargs "$runner" --corpus --known "$known" < "$directory/list"
