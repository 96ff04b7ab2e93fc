/* Import: a CSV file into a table, over Ingest; and back out again. */
#ifndef NQ_SDK_CLI_IMPORT_H
#define NQ_SDK_CLI_IMPORT_H

#include "sdk/cli/session.h"

typedef struct nq_import_options {
    const char *path; /* "-": standard input; .zst and .gz are unpacked by zstd and gzip */
    const char *table;
    const char *column_names; /* "a,b,c"; NULL: from the header, the table, or c1 c2 … */
    const char *types;        /* "text,timestamp,double"; NULL: inferred, or the table's */
    const char *key;          /* "a,b": primary key of a created table; NULL: none */
    const char
        *ingest_id; /* NULL: made from the file and the table; "": cannot be taken up again */
    const char *delimiter; /* one character, or "tab"; NULL: comma */
    const char *null_text; /* NULL: an empty field that is not quoted */
    bool has_header;
    bool has_no_header; /* neither: found out */
    bool create;
    bool upsert;
    uint64_t transaction_rows; /* 0: the server's default */
    double retry_s;            /* how long to wait for a server that went away */
} nq_import_options;

/* Returns an exit code. */
int nq_import(nq_session *session, const nq_import_options *options);

#endif
