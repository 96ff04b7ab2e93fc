/* Plan: what exec runs. A tree of nodes built by the binder in the statement's arena, read-only and
 * shared from then on; exec keeps its own state tree beside it.
 *
 * Every node produces rows of `column_count` columns (`columns` names and types them). Expressions
 * of a node see the rows of its input: column index i is the input's column i. The input row of a
 * join's expressions is left's columns followed by right's. */
#ifndef NQ_QUERY_PLAN_PLAN_H
#define NQ_QUERY_PLAN_PLAN_H

#include "engine/data/catalog/catalog.h"
#include "engine/data/value/batch.h"
#include "engine/query/eval/expr.h"

/* Tables are borrowed from the catalog snapshot the plan was made on, which its owner keeps. */

typedef struct nq_plan_node nq_plan_node;

typedef enum nq_plan_kind {
#define NQ_OPERATOR(kind, name, file, summary) NQ_PLAN_##kind,
#include "engine/query/plan/operator.def"
#undef NQ_OPERATOR
    NQ_PLAN_KIND_COUNT
} nq_plan_kind;

typedef struct nq_plan_exprs {
    const nq_expr *const *items;
    uint32_t count;
} nq_plan_exprs;

/* ---- Sources ---- */

/* SEQ_SCAN, KEY_LOOKUP, KEY_RANGE: rows of a table. Output column i is the table's column
 * table_columns[i] or the row's identity (NQ_COLUMN_ROW_KEY, BYTES); each at most once. `filter`
 * (or NULL) sees the output row. */
typedef struct nq_plan_scan {
    const nq_table *table;
    const uint32_t *table_columns; /* ascending is fastest, any order is allowed */
    const nq_expr *filter;
    bool is_reverse; /* descending key order */
    /* KEY_LOOKUP: a constant for each key column, in key order and of its type; the row or none.
     * A null among them finds nothing. */
    nq_plan_exprs key;
    /* KEY_RANGE: a prefix of the key is constant (`key`), the next key column is bounded. */
    const nq_expr *low, *high; /* or NULL: open; a null value finds nothing */
    bool low_is_inclusive, high_is_inclusive;
} nq_plan_scan;

/* VALUES: rows of expressions without columns; row r, column c is exprs[r * column_count + c].
 * SELECT without FROM is one row of zero columns below a PROJECT. */
typedef struct nq_plan_values {
    const nq_expr *const *exprs;
    uint32_t row_count;
} nq_plan_values;

/* SERIES: generate_series(start, stop, step): one column, INT64 or TIMESTAMP's step in
 * microseconds. */
typedef struct nq_plan_series {
    const nq_expr *start, *stop, *step; /* INT64 constants; step NULL is 1 */
} nq_plan_series;

/* ---- One input ---- */

typedef struct nq_plan_filter {
    const nq_expr *condition; /* rows for which it is true pass */
} nq_plan_filter;

typedef struct nq_plan_project {
    nq_plan_exprs exprs; /* one per output column */
} nq_plan_project;

typedef struct nq_plan_sort_key {
    uint32_t column; /* of the input: sort by an expression by projecting it first */
    bool is_descending;
    bool nulls_first;
} nq_plan_sort_key;

/* SORT and TOP_N: output is the input's first column_count columns, in order; equal keys keep the
 * input's order. TOP_N keeps the first limit + offset rows and drops the first offset of them. */
typedef struct nq_plan_sort {
    const nq_plan_sort_key *keys;
    uint32_t key_count;
    const nq_expr *limit, *offset; /* TOP_N: INT64 constants; offset NULL is 0 */
} nq_plan_sort;

typedef struct nq_plan_limit {
    const nq_expr *limit, *offset; /* INT64 constants; NULL: none; a null value: none */
} nq_plan_limit;

typedef struct nq_plan_aggregate_call {
    const nq_function *function; /* an aggregate */
    nq_plan_exprs args;          /* count(*) has none */
    const nq_expr *filter;       /* FILTER (WHERE ..), or NULL */
    nq_type type;
    bool is_distinct;
} nq_plan_aggregate_call;

/* AGGREGATE: output is the groups' keys, then the calls. Without keys: exactly one row. Groups come
 * out in the order their first row came in. */
typedef struct nq_plan_aggregate {
    nq_plan_exprs keys;
    const nq_plan_aggregate_call *calls;
    uint32_t call_count;
} nq_plan_aggregate;

/* ---- Two inputs ---- */

typedef enum nq_join_kind {
    NQ_JOIN_INNER, /* CROSS is INNER without a condition */
    NQ_JOIN_LEFT,
    NQ_JOIN_FULL,
    NQ_JOIN_SEMI,    /* left rows with a match: EXISTS, IN (query) */
    NQ_JOIN_ANTI,    /* left rows without a match: NOT EXISTS */
    NQ_JOIN_ANTI_IN, /* NOT IN (query): a null key on either side means unknown (HASH_JOIN only) */
} nq_join_kind;

/* NESTED_LOOP and HASH_JOIN. Output: left's columns, then right's (SEMI, ANTI: only left's). RIGHT
 * is LEFT with the inputs exchanged and a PROJECT on top. HASH_JOIN builds on the right input and
 * keeps the left's order. Keys are equal by `=`: a null matches nothing. */
typedef struct nq_plan_join {
    nq_join_kind kind;
    nq_plan_exprs left_keys;  /* HASH_JOIN: over left's row */
    nq_plan_exprs right_keys; /* HASH_JOIN: over right's row, same types */
    const nq_expr *condition; /* over left's and right's row: the rest of ON; or NULL */
} nq_plan_join;

/* KEY_JOIN: for each left row, the row of a table with that primary key. INNER, LEFT, SEMI, ANTI.
 */
typedef struct nq_plan_key_join {
    nq_join_kind kind;
    const nq_table *table;
    const uint32_t *table_columns; /* of the right part of the row */
    uint32_t table_column_count;
    nq_plan_exprs key;        /* over left's row, one per key column, of its type */
    const nq_expr *condition; /* over the joined row, or NULL */
} nq_plan_key_join;

typedef enum nq_set_kind {
    NQ_SET_UNION_ALL, /* any number of inputs: UNION is DISTINCT over it */
    NQ_SET_INTERSECT,
    NQ_SET_INTERSECT_ALL,
    NQ_SET_EXCEPT,
    NQ_SET_EXCEPT_ALL,
} nq_set_kind;

typedef struct nq_plan_set {
    nq_set_kind kind;
} nq_plan_set;

/* ---- Writing ---- */

typedef struct nq_plan_assignment {
    uint32_t table_column;
    const nq_expr *value;
} nq_plan_assignment;

typedef enum nq_conflict_action {
    NQ_CONFLICT_FAIL,
    NQ_CONFLICT_NOTHING,
    NQ_CONFLICT_UPDATE,
} nq_conflict_action;

/* A condition that a row being written must not make false; over the table's row. */
typedef struct nq_plan_check {
    nq_bytes name;
    const nq_expr *condition;
} nq_plan_check;

/* INSERT: the input has one column for each of the table's columns, in table order, of their types;
 * defaults are already expressions in it. A generated column whose value the statement leaves open
 * is null there and listed in generated_columns. */
typedef struct nq_plan_insert {
    const nq_table *table;
    const uint32_t *generated_columns; /* serials to number where the input is null */
    uint32_t generated_column_count;
    const nq_plan_check *checks;
    uint32_t check_count;
    nq_conflict_action conflict;
    /* NQ_CONFLICT_UPDATE: over the existing row followed by the refused one (`excluded`). */
    const nq_plan_assignment *assignments;
    uint32_t assignment_count;
    const nq_expr *conflict_where;
    nq_plan_exprs returning; /* over the table's row as stored; count 0: none */
} nq_plan_insert;

/* UPDATE and DELETE: the input is the table's whole row, every column in table order, and after
 * them the row's identity (NQ_COLUMN_ROW_KEY). */
typedef struct nq_plan_modify {
    const nq_table *table;
    const nq_plan_assignment *assignments; /* UPDATE: over the row as it was, values of its types */
    uint32_t assignment_count;
    const nq_plan_check *checks; /* UPDATE */
    uint32_t check_count;
    nq_plan_exprs returning; /* over the row as stored (UPDATE) or as it was (DELETE) */
} nq_plan_modify;

typedef struct nq_plan_create_table {
    const nq_table_definition *definition;
    bool if_not_exists;
} nq_plan_create_table;

typedef struct nq_plan_tables { /* DROP_TABLE, TRUNCATE */
    const nq_bytes *names;
    uint32_t count;
    bool if_exists;
    bool restart_identity;
} nq_plan_tables;

struct nq_plan_node {
    nq_plan_kind kind;
    uint32_t column_count;
    const nq_column_info *columns;
    const nq_plan_node *const *inputs;
    uint32_t input_count;
    double estimated_rows;
    union {
        nq_plan_scan scan;
        nq_plan_values values;
        nq_plan_series series;
        nq_plan_filter filter;
        nq_plan_project project;
        nq_plan_sort sort;
        nq_plan_limit limit;
        nq_plan_aggregate aggregate;
        nq_plan_join join;
        nq_plan_key_join key_join;
        nq_plan_set set;
        nq_plan_insert insert;
        nq_plan_modify modify;
        nq_plan_create_table create_table;
        nq_plan_tables tables;
    };
};

/* An uncorrelated subquery, run at most once per execution and only when needed: its value becomes
 * parameter `parameter_index`, an index past the statement's own parameters. */
typedef enum nq_subquery_kind {
    NQ_SUBQUERY_SCALAR, /* its one column of its one row, or null; more rows are an error */
    NQ_SUBQUERY_EXISTS, /* boolean */
} nq_subquery_kind;

typedef struct nq_plan_subquery {
    nq_subquery_kind kind;
    uint32_t parameter_index;
    const nq_plan_node *root;
} nq_plan_subquery;

typedef struct nq_plan {
    const nq_plan_node *root;
    const nq_plan_subquery *subqueries; /* in the order in which they may depend on one another */
    uint32_t subquery_count;
    uint32_t parameter_count;         /* the statement's own */
    const nq_column_info *parameters; /* their names (empty: positional) and types */
} nq_plan;

/* "Hash Join"; static storage. */
const char *nq_plan_kind_name(nq_plan_kind kind);

#endif
