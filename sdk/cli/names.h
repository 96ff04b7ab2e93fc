/* Names: the tables and columns that the server has, asked for when wanted and then remembered.
 *
 * For completion only: a server that does not answer within a second has no names, and nothing is
 * said about it. */
#ifndef NQ_SDK_CLI_NAMES_H
#define NQ_SDK_CLI_NAMES_H

#include <stdbool.h>

#include "sdk/c/nq.h"
#include "sdk/cli/words.h"

typedef struct nq_table_names {
    char *table;
    nq_words columns;
} nq_table_names;

typedef struct nq_names {
    nq_client *client; /* NULL: nobody to ask, only what is remembered */
    bool has_tables;
    nq_words tables;
    nq_table_names *described; /* tables whose columns have been asked for */
    size_t described_count;
} nq_names;

/* All tables, at most 10,000. Valid until nq_names_forget. */
const nq_words *nq_names_tables(nq_names *names);
/* The columns of a table by its exact name; none when there is no such table. Valid until the next
 * call for another table, or nq_names_forget. */
const nq_words *nq_names_columns(nq_names *names, const char *table);
/* After whatever may have changed what exists. */
void nq_names_forget(nq_names *names);

#endif
