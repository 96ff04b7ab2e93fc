#!/bin/bash
# Builds the wheel, installs it into an environment of its own, and runs its tests against the server at
# NQ_SERVER_ADDR (tests/sdk/with_server.sh starts one). Needs python3 with venv, and the package index
# for what pip fetches.
set -euo pipefail
cd "$(dirname "$0")"
BUILD=../../.build/sdk-python
command -v python3 >/dev/null || { echo "test.sh: needs python3 (apt-get install python3-venv)" >&2; exit 1; }
mkdir -p "$BUILD"
if [ ! -x "$BUILD/venv/bin/pip" ]; then
    python3 -m venv "$BUILD/venv" || { echo "test.sh: needs python3-venv" >&2; exit 1; }
fi
"$BUILD/venv/bin/pip" install --quiet --disable-pip-version-check 'pytest>=7' build
rm -rf "$BUILD/wheel"
"$BUILD/venv/bin/python" -m build --wheel --outdir "$BUILD/wheel" . >"$BUILD/build.log" 2>&1 ||
    { tail -n 30 "$BUILD/build.log" >&2; exit 1; }
"$BUILD/venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$BUILD"/wheel/*.whl
"$BUILD/venv/bin/pip" install --quiet --disable-pip-version-check "$BUILD"/wheel/*.whl
# Away from the sources, so that the installed package is what is tested.
tests=$PWD/tests
cd "$BUILD"
exec venv/bin/python -m pytest -q -p no:cacheprovider "$tests" "$@"
