#!/bin/bash
# make bench: the benchmarks, what each compares with, and how to run it.
#
# Each ends in one line per goal:  BENCH name ours=… peer=… ratio=… gate=… ok|short
cat <<'TEXT'
make bench-rpc      unary echo, SELECT 1, primary-key lookup   peers: C++ async gRPC server, nghttp2 echo
make bench-smoke    import, query, stream, fan-out             peers: SQLite, Redis
                    fan-out beside subscribers that stall      peer: ourselves without them
make bench-micro    operators inside the engine                peer: SQLite in memory
                    segments, checksums, page images           peers: ISA-L, LZ4, zstd
make bench-cache    hit ratios of the page cache on traces     peers: LRU, CLOCK, 2Q, ARC, S3-FIFO, MIN (needs NQ_CORPORA)
make bench-storage  keys and values, commits, crashes, damage  peers: LMDB, RocksDB, SQLite, WiredTiger, Berkeley DB
TEXT
