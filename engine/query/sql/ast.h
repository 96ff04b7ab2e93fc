/* AST: a statement as its grammar sees it, before any name is looked up.
 *
 * One arena holds the tree and the text it borrows from; nothing is ever changed after nq_parse has
 * returned. Siblings are chained through `next`, in the order written. Names are folded to lower
 * case unless they were quoted. Every node carries the byte offset of the token it starts at (an
 * operator: of its sign); nq_sql_position turns it into line and column.
 *
 * Chains of AND and of OR are one node with many operands, so that long conditions stay shallow;
 * every other nesting is at most NQ_SQL_DEPTH_MAX deep, so a walk of the tree may recurse. */
#ifndef NQ_QUERY_SQL_AST_H
#define NQ_QUERY_SQL_AST_H

#include "engine/data/value/type.h"

enum {
    NQ_SQL_BYTES_MAX = 1 << 20, /* of one statement's text */
    NQ_SQL_DEPTH_MAX = 1000,    /* expressions, subqueries and joins inside one another */
    NQ_SQL_NAME_BYTES_MAX = 63, /* of an identifier */
    NQ_SQL_PARAMETER_COUNT_MAX = 65535,
    NQ_SQL_COLUMN_COUNT_MAX = 1600, /* of a table, a SELECT list or a VALUES row */
};

typedef struct nq_ast_expr nq_ast_expr;
typedef struct nq_ast_query nq_ast_query;

/* `text.size` 0: not given. */
typedef struct nq_ast_name {
    nq_bytes text;
    uint32_t offset;
} nq_ast_name;

typedef struct nq_ast_name_node nq_ast_name_node;
struct nq_ast_name_node {
    nq_ast_name_node *next;
    nq_ast_name name;
};

typedef struct nq_ast_names {
    nq_ast_name_node *first, *last;
    uint32_t count;
} nq_ast_names;

/* A type as written and understood: names are resolved while parsing. */
typedef struct nq_ast_type {
    nq_type type;
    bool is_serial; /* SMALLSERIAL, SERIAL, BIGSERIAL: only a column definition may say so */
    uint32_t offset;
} nq_ast_type;

/* ---- Expressions ---- */

typedef enum nq_ast_expr_kind {
    NQ_AST_NULL,
    NQ_AST_BOOLEAN,   /* boolean */
    NQ_AST_INTEGER,   /* integer */
    NQ_AST_NUMBER,    /* number: has a point or an exponent */
    NQ_AST_STRING,    /* text: type unknown until its place gives it one */
    NQ_AST_BYTES,     /* text: X'0aff' decoded */
    NQ_AST_PARAMETER, /* parameter_index: into the statement's parameters, from 0 */
    NQ_AST_COLUMN,    /* table, name */
    NQ_AST_STAR,      /* table, or every table of FROM; only in a SELECT list or RETURNING */
    NQ_AST_DEFAULT,   /* only as a whole value of INSERT or UPDATE */
    NQ_AST_UNARY,     /* op, left */
    NQ_AST_BINARY,    /* op, left, right */
    NQ_AST_AND,       /* operands: two or more */
    NQ_AST_OR,        /* operands: two or more */
    NQ_AST_NOT,       /* left */
    NQ_AST_IS,        /* left IS [NOT] test */
    NQ_AST_BETWEEN,   /* left [NOT] BETWEEN right AND third */
    NQ_AST_IN_LIST,   /* left [NOT] IN (operands): one or more */
    NQ_AST_IN_QUERY,  /* left [NOT] IN (query) */
    NQ_AST_EXISTS,    /* EXISTS (query) */
    NQ_AST_SUBQUERY,  /* (query): its only column, its only row or NULL */
    NQ_AST_LIKE,      /* left [NOT] LIKE|ILIKE right [ESCAPE third] */
    NQ_AST_CASE,     /* CASE [left] WHEN.. (operands: when, then, when, then ..) [ELSE right] END */
    NQ_AST_CAST,     /* CAST(left AS type), left::type, and DATE '...' */
    NQ_AST_FUNCTION, /* name(operands): functions, aggregates, COALESCE and its kin */
} nq_ast_expr_kind;

/* Operators with a sign; their spelling is nq_ast_operator_text. */
typedef enum nq_ast_operator {
    NQ_AST_OP_NONE,
    NQ_AST_OP_PLUS, /* unary and binary */
    NQ_AST_OP_MINUS,
    NQ_AST_OP_MULTIPLY,
    NQ_AST_OP_DIVIDE,
    NQ_AST_OP_MODULO,
    NQ_AST_OP_POWER,
    NQ_AST_OP_CONCAT,
    NQ_AST_OP_EQUAL,
    NQ_AST_OP_NOT_EQUAL,
    NQ_AST_OP_LESS,
    NQ_AST_OP_LESS_EQUAL,
    NQ_AST_OP_GREATER,
    NQ_AST_OP_GREATER_EQUAL,
    NQ_AST_OP_DISTINCT,     /* IS DISTINCT FROM */
    NQ_AST_OP_NOT_DISTINCT, /* IS NOT DISTINCT FROM */
    NQ_AST_OP_BIT_AND,
    NQ_AST_OP_BIT_OR,
    NQ_AST_OP_BIT_XOR, /* # */
    NQ_AST_OP_BIT_NOT, /* ~, unary */
    NQ_AST_OP_SHIFT_LEFT,
    NQ_AST_OP_SHIFT_RIGHT,
    NQ_AST_OP_COUNT,
} nq_ast_operator;

typedef enum nq_ast_is_test {
    NQ_AST_IS_NULL,
    NQ_AST_IS_TRUE,
    NQ_AST_IS_FALSE,
    NQ_AST_IS_UNKNOWN,
} nq_ast_is_test;

typedef struct nq_ast_exprs {
    nq_ast_expr *first, *last;
    uint32_t count;
} nq_ast_exprs;

/* Function calls are rarer and wider than the rest, so their particulars stand apart. */
typedef struct nq_ast_call {
    nq_ast_name name;
    nq_ast_expr *filter; /* FILTER (WHERE filter), or NULL */
    bool is_star;        /* count(*) */
    bool is_distinct;    /* agg(DISTINCT ..) */
    bool has_no_parens;  /* CURRENT_DATE and its kin */
} nq_ast_call;

struct nq_ast_expr {
    nq_ast_expr *next;
    uint32_t offset;
    uint16_t height;          /* 1 for a leaf */
    uint8_t kind;             /* nq_ast_expr_kind */
    uint8_t op;               /* nq_ast_operator, or nq_ast_is_test */
    bool is_negated;          /* IS NOT, NOT BETWEEN, NOT IN, NOT LIKE */
    bool is_case_insensitive; /* ILIKE */
    bool has_parens;          /* written in parentheses of its own */
    union {
        bool boolean;
        int64_t integer;
        double number;
        nq_bytes text;
        uint32_t parameter_index;
        struct {
            nq_bytes table; /* size 0: unqualified */
            nq_bytes name;
        };
        struct {
            nq_ast_expr *left, *right;
            union {
                nq_ast_expr *third;
                nq_ast_exprs operands; /* a function's: its arguments */
            };
            union {
                nq_ast_query *query;
                nq_ast_type *type;
                nq_ast_call *call;
            };
        };
    };
};

/* ---- Queries ---- */

typedef struct nq_ast_item nq_ast_item;
struct nq_ast_item { /* of a SELECT list or RETURNING */
    nq_ast_item *next;
    nq_ast_expr *expr;
    nq_ast_name alias;
};

typedef struct nq_ast_items {
    nq_ast_item *first, *last;
    uint32_t count;
} nq_ast_items;

typedef enum nq_ast_nulls {
    NQ_AST_NULLS_DEFAULT, /* last when ascending, first when descending */
    NQ_AST_NULLS_FIRST,
    NQ_AST_NULLS_LAST,
} nq_ast_nulls;

typedef struct nq_ast_order nq_ast_order;
struct nq_ast_order {
    nq_ast_order *next;
    nq_ast_expr *expr;
    bool is_descending;
    nq_ast_nulls nulls;
};

typedef struct nq_ast_orders {
    nq_ast_order *first, *last;
    uint32_t count;
} nq_ast_orders;

typedef enum nq_ast_from_kind {
    NQ_AST_FROM_TABLE,
    NQ_AST_FROM_QUERY,    /* (query) [AS] alias [(columns)] */
    NQ_AST_FROM_FUNCTION, /* function(arguments) [[AS] alias [(columns)]] */
    NQ_AST_FROM_JOIN,
} nq_ast_from_kind;

typedef enum nq_ast_join_kind {
    NQ_AST_JOIN_CROSS, /* CROSS JOIN and the comma */
    NQ_AST_JOIN_INNER,
    NQ_AST_JOIN_LEFT,
    NQ_AST_JOIN_RIGHT,
    NQ_AST_JOIN_FULL,
} nq_ast_join_kind;

typedef struct nq_ast_from nq_ast_from;
struct nq_ast_from {
    nq_ast_from *next; /* the next item after a comma */
    nq_ast_from_kind kind;
    uint32_t offset;
    uint16_t height;
    nq_ast_name alias;
    nq_ast_names column_aliases;
    union {
        nq_ast_name table;
        nq_ast_query *query;
        nq_ast_expr *function; /* NQ_AST_FUNCTION */
        struct {
            nq_ast_join_kind join;
            bool is_natural;
            nq_ast_from *left, *right;
            nq_ast_expr *on;    /* or NULL */
            nq_ast_names using; /* count 0: none */
        };
    };
};

typedef struct nq_ast_froms {
    nq_ast_from *first, *last;
    uint32_t count;
} nq_ast_froms;

typedef struct nq_ast_row nq_ast_row;
struct nq_ast_row { /* of VALUES */
    nq_ast_row *next;
    nq_ast_exprs values;
    uint32_t offset;
};

typedef struct nq_ast_rows {
    nq_ast_row *first, *last;
    uint32_t count;
} nq_ast_rows;

typedef struct nq_ast_with nq_ast_with;
struct nq_ast_with { /* one common table expression */
    nq_ast_with *next;
    nq_ast_name name;
    nq_ast_names column_aliases;
    nq_ast_query *query;
};

typedef struct nq_ast_withs {
    nq_ast_with *first, *last;
    uint32_t count;
} nq_ast_withs;

typedef enum nq_ast_query_kind {
    NQ_AST_SELECT,
    NQ_AST_VALUES,
    NQ_AST_UNION,
    NQ_AST_INTERSECT,
    NQ_AST_EXCEPT,
    NQ_AST_NESTED, /* (left): a query that has ORDER BY or LIMIT of its own, with more after it */
} nq_ast_query_kind;

struct nq_ast_query {
    nq_ast_query_kind kind;
    uint32_t offset;
    uint16_t height;
    union {
        struct { /* NQ_AST_SELECT */
            bool is_distinct;
            nq_ast_items items;
            nq_ast_froms from; /* items between commas */
            nq_ast_expr *where, *having;
            nq_ast_exprs group_by;
            bool is_grouped; /* GROUP BY or HAVING was written */
        };
        nq_ast_rows rows; /* NQ_AST_VALUES: all of one width */
        struct {          /* set operations; NQ_AST_NESTED uses `left` only */
            bool is_all;
            nq_ast_query *left, *right;
        };
    };
    nq_ast_withs with;
    nq_ast_orders order_by;
    nq_ast_expr *limit, *limit_offset; /* or NULL */
};

/* ---- Statements ---- */

typedef enum nq_ast_statement_kind {
    NQ_AST_STATEMENT_QUERY,
    NQ_AST_STATEMENT_INSERT,
    NQ_AST_STATEMENT_UPDATE,
    NQ_AST_STATEMENT_DELETE,
    NQ_AST_STATEMENT_TRUNCATE,
    NQ_AST_STATEMENT_CREATE_TABLE,
    NQ_AST_STATEMENT_DROP_TABLE,
    NQ_AST_STATEMENT_BEGIN,
    NQ_AST_STATEMENT_COMMIT,
    NQ_AST_STATEMENT_ROLLBACK,
    NQ_AST_STATEMENT_SAVEPOINT,
    NQ_AST_STATEMENT_ROLLBACK_TO,
    NQ_AST_STATEMENT_RELEASE,
    NQ_AST_STATEMENT_EXPLAIN,
} nq_ast_statement_kind;

typedef struct nq_ast_set nq_ast_set;
struct nq_ast_set { /* column = value */
    nq_ast_set *next;
    nq_ast_name column;
    nq_ast_expr *value; /* may be NQ_AST_DEFAULT */
};

typedef struct nq_ast_sets {
    nq_ast_set *first, *last;
    uint32_t count;
} nq_ast_sets;

typedef enum nq_ast_conflict_kind {
    NQ_AST_CONFLICT_FAIL,
    NQ_AST_CONFLICT_NOTHING,
    NQ_AST_CONFLICT_UPDATE,
} nq_ast_conflict_kind;

typedef struct nq_ast_insert {
    nq_ast_name table, alias;
    nq_ast_names columns; /* count 0: all, in table order */
    nq_ast_query *source; /* NULL: DEFAULT VALUES */
    nq_ast_conflict_kind conflict;
    uint32_t conflict_offset;
    nq_ast_names conflict_target; /* count 0: any */
    nq_ast_sets conflict_sets;    /* DO UPDATE SET; `excluded` names the refused row */
    nq_ast_expr *conflict_where;
    nq_ast_items returning;
} nq_ast_insert;

typedef struct nq_ast_update {
    nq_ast_name table, alias;
    nq_ast_sets sets;
    nq_ast_expr *where;
    nq_ast_items returning;
} nq_ast_update;

typedef struct nq_ast_delete {
    nq_ast_name table, alias;
    nq_ast_expr *where;
    nq_ast_items returning;
} nq_ast_delete;

typedef struct nq_ast_column nq_ast_column;
struct nq_ast_column {
    nq_ast_column *next;
    nq_ast_name name;
    nq_ast_type *type;
    nq_ast_expr *default_value; /* or NULL */
    bool is_not_null;
    bool is_null;             /* NULL was written */
    bool is_primary_key;      /* on the column itself */
    bool is_generated;        /* SERIAL, AUTO_INCREMENT, GENERATED .. AS IDENTITY */
    bool is_generated_always; /* GENERATED ALWAYS: an explicit value is refused */
    uint32_t primary_key_offset;
    uint32_t generated_offset;
};

typedef struct nq_ast_columns {
    nq_ast_column *first, *last;
    uint32_t count;
} nq_ast_columns;

typedef struct nq_ast_check nq_ast_check;
struct nq_ast_check {
    nq_ast_check *next;
    nq_ast_name name; /* CONSTRAINT name, or none */
    nq_ast_expr *condition;
};

typedef struct nq_ast_checks {
    nq_ast_check *first, *last;
    uint32_t count;
} nq_ast_checks;

typedef struct nq_ast_create_table {
    nq_ast_name table;
    bool if_not_exists;
    nq_ast_columns columns;
    nq_ast_names primary_key;     /* PRIMARY KEY (..) at table level; count 0: none */
    nq_ast_name primary_key_name; /* CONSTRAINT name PRIMARY KEY, at either level */
    uint32_t primary_key_offset;
    nq_ast_checks checks; /* of columns and of the table */
} nq_ast_create_table;

typedef struct nq_ast_tables { /* DROP TABLE, TRUNCATE */
    nq_ast_names tables;
    bool if_exists;
    bool restart_identity;
} nq_ast_tables;

typedef enum nq_ast_isolation {
    NQ_AST_ISOLATION_DEFAULT,
    NQ_AST_ISOLATION_READ_COMMITTED, /* and READ UNCOMMITTED, which it satisfies */
    NQ_AST_ISOLATION_REPEATABLE_READ,
    NQ_AST_ISOLATION_SERIALIZABLE,
} nq_ast_isolation;

typedef struct nq_ast_begin {
    nq_ast_isolation isolation;
    bool is_read_only;
} nq_ast_begin;

typedef struct nq_ast_statement nq_ast_statement;

typedef struct nq_ast_explain {
    bool is_analyze;
    nq_ast_statement *statement;
} nq_ast_explain;

/* One parameter, however often it is used. */
typedef struct nq_ast_parameter {
    nq_bytes name;     /* without its colon; size 0: positional */
    uint32_t position; /* from 1, for $1; 0: named */
    uint32_t offset;   /* of its first use; UINT32_MAX when a $n is never used */
} nq_ast_parameter;

struct nq_ast_statement {
    nq_ast_statement_kind kind;
    uint32_t offset;
    nq_bytes sql; /* the whole text parsed, in the arena */
    uint32_t parameter_count;
    const nq_ast_parameter *parameters; /* positional: $1 .. $count; named: in order of first use */
    union {
        nq_ast_query *query;
        nq_ast_insert *insert;
        nq_ast_update *update;
        nq_ast_delete *delete;
        nq_ast_tables *tables;
        nq_ast_create_table *create_table;
        nq_ast_begin begin;
        nq_ast_name savepoint;
        nq_ast_explain explain;
    };
};

/* "+", "IS DISTINCT FROM"; static storage. */
const char *nq_ast_operator_text(nq_ast_operator op);

#endif
