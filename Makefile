# The verbs of the house. Each is idempotent and installs what it lacks; see CONTRIBUTING.md.
.PHONY: help run build test check format tidy nightly bench bench-rpc bench-smoke bench-micro bench-cache bench-storage docs clean
BAZEL ?= bazel

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

run: ## build, start the server on ./data, print what to type next
	@deploy/dev/run.sh

build: ## build the server and the command line
	@deploy/dev/setup.sh build
	@$(BAZEL) build //server:neuroquantumd //sdk/cli:nq

test: ## everything, as CI runs it
	@tests/run.sh

check: ## the quick gate before a commit: format, tidy, unit tests
	@tests/run.sh tidy unit

format: ## clang-format the tree
	@git ls-files '*.c' '*.h' | xargs clang-format -i

tidy: ## clang-tidy over the product's C; ARGS: only files whose path begins with these
	@deploy/dev/setup.sh test
	@tests/tidy/clang_tidy.sh $(ARGS)

nightly: ## the long campaigns: crash seeds, fuzzing, corpora
	@tests/nightly.sh

bench: ## list the benchmarks
	@bench/list.sh

bench-rpc: ## unary calls against a C++ async server and an nghttp2 echo
	@deploy/dev/setup.sh bench
	@bench/rpc/run.sh

bench-smoke: ## import, query, stream and fan-out against SQLite and Redis
	@deploy/dev/setup.sh bench
	@bench/workload/run.sh

bench-micro: ## operators against SQLite in memory; segments and images against ISA-L, LZ4, zstd
	@deploy/dev/setup.sh bench
	@$(BAZEL) run //bench/micro:exec_bench -- "$$(mktemp -d)"
	@$(BAZEL) run //bench/micro:segment_bench

bench-cache: ## eviction policies on the traces that NQ_CORPORA holds
	@deploy/dev/setup.sh bench
	@$(BAZEL) run //bench/micro:cache_traces

bench-storage: ## the storage engine beside LMDB, RocksDB, SQLite, WiredTiger and Berkeley DB
	@deploy/dev/setup.sh bench
	@bench/peers/run.sh $(ARGS)

docs: ## regenerate docs/reference from the tables
	@docs/reference/generate.py

clean: ## forget what was built (the data directory stays)
	@$(BAZEL) clean
	@rm -rf .build
