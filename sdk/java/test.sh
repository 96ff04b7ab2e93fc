#!/bin/bash
# Generates, compiles and tests against the server at NQ_SERVER_ADDR (tests/sdk/with_server.sh starts one).
# Needs a JDK of at least 17 and Maven (apt-get install default-jdk-headless maven), and what Maven fetches.
set -euo pipefail
cd "$(dirname "$0")"
command -v javac >/dev/null || { echo "test.sh: needs a JDK (apt-get install default-jdk-headless)" >&2; exit 1; }
command -v mvn >/dev/null || { echo "test.sh: needs Maven (apt-get install maven)" >&2; exit 1; }
mkdir -p ../../.build
exec mvn --batch-mode --quiet test "$@"
