#!/bin/sh
# Runs every golden file through the runner.
exec "$@"
