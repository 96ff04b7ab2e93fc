/* Import, inside: where the bytes come from, and what is known of the file before it is sent. */
#ifndef NQ_SDK_CLI_IMPORT_INTERNAL_H
#define NQ_SDK_CLI_IMPORT_INTERNAL_H

#include <sys/types.h>

#include "sdk/cli/csv.h"
#include "sdk/cli/import.h"

/* A file that can be read more than once. */
typedef struct nq_import_source {
    const char *path;
    const char *program; /* that unpacks it; NULL: none */
    FILE *spool;         /* a copy of what can be read only once, as standard input; NULL: none */
    pid_t child;
    FILE *file;            /* open now; NULL: not */
    uint64_t packed_bytes; /* size of the file; 0: unknown */
} nq_import_source;

/* Exit codes; failures are told on stderr. */
int nq__import_source_init(nq_import_source *source, const char *path);
int nq__import_source_open(nq_import_source *source);
/* How much of the packed file was read, 0 .. 1; negative: unknown. */
double nq__import_source_fraction(const nq_import_source *source);
/* Not NQ_EXIT_OK: the unpacking program failed. */
int nq__import_source_close(nq_import_source *source);
void nq__import_source_deinit(nq_import_source *source);

/* What will be sent. */
typedef struct nq_import_plan {
    char **names;
    nq_data_type *types;
    size_t column_count;
    char delimiter;
    bool has_header;
    uint64_t record_count; /* without the header; 0: not counted */
    bool table_exists;
    char ingest_id[80];
} nq_import_plan;

/* Looks at the table and, where that does not say everything, at the whole file. */
int nq__import_plan_make(nq_session *session, const nq_import_options *options,
                         nq_import_source *source, nq_import_plan *out_plan);
void nq__import_plan_deinit(nq_import_plan *plan);
int nq__import_create_table(nq_session *session, const nq_import_options *options,
                            const nq_import_plan *plan);

/* "a,b,c" into its words, blanks trimmed. The caller frees the words and the list. */
char **nq__list_split(const char *list, size_t *out_count);

#endif
