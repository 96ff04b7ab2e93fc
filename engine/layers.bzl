"""Rooms of the engine, lowest first: a room may include only rooms listed before it.

Loaded by //:defs.bzl for visibility and read by //tests/tidy. (room, may the server include it, job)
"""

ENGINE_ROOMS = [
    ("ground/base", True, "The vocabulary every room speaks: status, context, bytes, arenas, containers, log."),
    ("ground/obs", True, "Counters and histograms from one table; measures, never exports."),
    ("ground/os", True, "The only room that calls the kernel: files, threads, ranked locks, clock, entropy."),
    ("ground/simd", True, "Hot kernels behind one dispatch table: scalar, SSE4.2/AVX2, NEON."),
    ("storage/page", False, "One page as bytes: header, slots, checksum."),
    ("storage/segment", False, "4 MiB of page images as bytes: parity, checksums, repair, compression."),
    ("storage/pager", False, "The data file as verified pages: page map, segments, checkpoint, collection, repair."),
    ("storage/wal", False, "The log: append, group commit, read back, recycle."),
    ("storage/cache", False, "Which of the things held in memory goes next: eviction policies as data structures."),
    ("storage/buffer", False, "Pages cached in a bounded pool of pinned frames."),
    ("storage/btree", False, "Ordered bytes to bytes: copy-on-write B+tree over pages."),
    ("storage/store", False, "The storage front door: trees, transactions, snapshots, recovery, checkpoint."),
    ("storage/backup", False, "The log's archive as a directory, and the way back from a base copy and it."),
    ("storage/upgrade", False, "A data directory of format 1 into one of format 2: read-only decoder, copy, swap."),
    ("data/value", True, "Types, values, column batches, comparison, casting, text forms, key and row codecs."),
    ("data/catalog", False, "What exists: tables, columns, keys; versioned and transactional."),
    ("data/table", False, "Rows in tables: insert, update, delete, scan, point lookup."),
    ("query/sql", False, "Text to tree: tokenizer, grammar, AST, printer."),
    ("query/eval", False, "Bound expressions and the function table, as vector kernels."),
    ("query/plan", False, "Tree to plan: bind names and types, rewrite, choose, explain."),
    ("query/exec", False, "Plan to batches: one file per operator."),
    ("live/pubsub", True, "Channels, wildcard trie, subscribers, history, drop policies."),
    ("live/stream", True, "A running query as a paced stream: credits, pause, progress, registry."),
    ("api", True, "The engine's front door: database, transaction, statement, cursor."),
]
