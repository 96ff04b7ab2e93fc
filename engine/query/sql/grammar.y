/* The grammar of the product's SQL, for Lemon. docs/reference/sql.md describes the language.
 *
 * A rule only calls one builder (sql_internal.h); what a construct means is decided there or in the
 * binder. After the first failure builders answer NULL and do nothing, so a rule need not look.
 * Precedence, the order of PostgreSQL's table, is declared lowest first. What PostgreSQL does not let
 * associate is left-associative here, but for comparisons, which the builder refuses to chain.
 *
 * Lemon resolves what is ambiguous in LALR(1) at build time and would report any conflict left; there
 * is none. Two words of look-ahead are needed in one place (`a < b NOT LIKE c`): the driver turns NOT
 * before BETWEEN, IN, LIKE and ILIKE into NOT_INFIX, as PostgreSQL does. */

%name nq__grammar
%token_prefix NQ_TOKEN_
%token_type {nq_sql_token}
%extra_context {nq_parser *p}
%start_symbol input
%stack_size 4000

%include {
/* Lemon's template is older than these warnings; the actions below are held to them in the builders. */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#ifndef NDEBUG
#define NDEBUG /* no trace of the parser's steps in the product */
#endif
#define YYNOERRORRECOVERY 1
#define nq__grammar_ENGINEALWAYSONSTACK 1

#include "engine/query/sql/sql_internal.h"

#include "engine/query/sql/grammar.h"
}

%syntax_error { nq__parser_unexpected(p, yymajor, TOKEN, yypParser); }
%stack_overflow { nq__parser_too_deep(p); }

/* ---- Words that may be names ---- */

%fallback ID
    ABORT ALTER ALWAYS ANALYZE AT AUTO_INCREMENT AUTOINCREMENT BEGIN BY CASCADE CHAR CHARACTER
    COMMIT COMMITTED CONFLICT CONTINUE COPY DEALLOCATE DELETE DOUBLE DROP ESCAPE EXECUTE EXISTS
    EXPLAIN EXTRACT FILTER FIRST GENERATED IDENTITY IF INDEX INSERT ISOLATION KEY LAST LEVEL
    MATERIALIZED MERGE NEXT NO NOTHING NULLS PRECISION PREPARE READ RECURSIVE RELEASE REPEATABLE
    RESTART RESTRICT REVOKE ROLLBACK ROW ROWS SAVEPOINT SCHEMA SEQUENCE SERIALIZABLE SET SHOW START
    STORED SUBSTRING TEMP TEMPORARY TIME TIMESTAMP TRANSACTION TRIGGER TRIM TRUNCATE UNCOMMITTED UNKNOWN
    UNLOGGED UPDATE VACUUM VALUES VARCHAR VARYING VIEW VIRTUAL WITHOUT WORK WRITE ZONE.

/* Known only to be refused by name. */
%token ALTER ANY ARRAY AT COLLATE COPY DEALLOCATE DEFERRABLE EXECUTE FOR FOREIGN GRANT INDEX LATERAL
    MATERIALIZED MERGE OVER PREPARE REFERENCES REVOKE SCHEMA SEQUENCE SHOW SIMILAR SOME
    TABLESAMPLE TEMP TEMPORARY TRIGGER UNIQUE UNLOGGED VACUUM VIEW WINDOW.
%token ARROW ARROW_TEXT MATCH MATCH_FOLD NOT_MATCH NOT_MATCH_FOLD LBRACKET RBRACKET.

/* ---- Precedence ---- */

%nonassoc LOWEST.
%left UNION EXCEPT.
%left INTERSECT.
%left OR.
%left AND.
%right NOT.
%left IS ISNULL NOTNULL.
%left EQ NE LT LE GT GE.
%left BETWEEN IN LIKE ILIKE NOT_INFIX.
%left ESCAPE.
%left CONCAT BITAND BITOR HASH LSHIFT RSHIFT TILDE.
%left PLUS MINUS.
%left STAR SLASH PERCENT.
%left CARET.
%right UMINUS.
%left COLON_COLON.
%left LP RP.
%left DOT.
%left JOIN CROSS LEFT FULL RIGHT INNER NATURAL.

/* ---- Start ---- */

input ::= START_STATEMENT statement(S) semicolon_opt. { nq__parser_accept_statement(p, S); }
input ::= START_EXPRESSION expr(E). { nq__parser_accept_expr(p, E); }

semicolon_opt ::= .
semicolon_opt ::= SEMICOLON.

%type statement {nq_ast_statement *}
%type plain_statement {nq_ast_statement *}
statement(A) ::= plain_statement(A).
statement(A) ::= EXPLAIN(T) plain_statement(S). { A = nq__ast_explain(p, T, false, S); }
statement(A) ::= EXPLAIN(T) ANALYZE plain_statement(S). { A = nq__ast_explain(p, T, true, S); }

/* ---- Names ---- */

%type name {nq_ast_name *}
name(A) ::= ID(T). { A = nq__ast_name(p, T); }

%type names {nq_ast_names *}
names(A) ::= name(N). { A = nq__ast_names_append(p, NULL, N); }
names(A) ::= names(A) COMMA name(N). { A = nq__ast_names_append(p, A, N); }

%type names_opt {nq_ast_names *}
names_opt(A) ::= . { A = NULL; }
names_opt(A) ::= LP names(N) RP. { A = N; }

/* A table: no schemas in this version. */
%type table_name {nq_ast_name *}
table_name(A) ::= name(A).
table_name(A) ::= name DOT(T) name. { A = NULL; nq__parser_refuse(p, T, "a schema name"); }

%type table_names {nq_ast_names *}
table_names(A) ::= table_name(N). { A = nq__ast_names_append(p, NULL, N); }
table_names(A) ::= table_names(A) COMMA table_name(N). { A = nq__ast_names_append(p, A, N); }

/* ---- Types ---- */

%type type {nq_ast_type *}
type(A) ::= ID(T). { A = nq__ast_type(p, T, T, NULL); }
type(A) ::= ID(T) LP type_arguments(N) RP. { A = nq__ast_type(p, T, T, N); }
type(A) ::= DOUBLE(T). { A = nq__ast_type(p, T, T, NULL); }
type(A) ::= DOUBLE(T) PRECISION(U). { A = nq__ast_type(p, T, U, NULL); }
type(A) ::= char_type(T). { A = nq__ast_type(p, T, T, NULL); }
type(A) ::= char_type(T) LP type_arguments(N) RP. { A = nq__ast_type(p, T, T, N); }
type(A) ::= TIMESTAMP(T) type_arguments_opt(N) zone_opt(Z). { A = nq__ast_time_type(p, T, N, Z); }
type(A) ::= TIME(T) type_arguments_opt(N) zone_opt(Z). { A = nq__ast_time_type(p, T, N, Z); }

/* The text from CHARACTER to VARYING spans both words. */
%type char_type {nq_sql_token}
char_type(A) ::= VARCHAR(A).
char_type(A) ::= CHAR(A).
char_type(A) ::= CHARACTER(A).
char_type(A) ::= CHAR(T) VARYING(U). { A = nq__token_span(T, U); }
char_type(A) ::= CHARACTER(T) VARYING(U). { A = nq__token_span(T, U); }

%type type_arguments {nq_ast_exprs *}
%type type_arguments_opt {nq_ast_exprs *}
type_arguments(A) ::= INTEGER(T). { A = nq__ast_exprs_append(p, NULL, nq__ast_integer(p, T)); }
type_arguments(A) ::= type_arguments(A) COMMA INTEGER(T).
    { A = nq__ast_exprs_append(p, A, nq__ast_integer(p, T)); }
type_arguments_opt(A) ::= . { A = NULL; }
type_arguments_opt(A) ::= LP type_arguments(N) RP. { A = N; }

/* size 0: not written or WITHOUT; otherwise WITH's token. */
%type zone_opt {nq_sql_token}
zone_opt(A) ::= . [LOWEST] { A = nq__token_none(); }
zone_opt(A) ::= WITHOUT TIME ZONE. { A = nq__token_none(); }
zone_opt(A) ::= WITH(T) TIME ZONE. { A = T; }

/* ---- Expressions ---- */

/* A name at the start of an expression: the words an expression may also begin with are names when
 * what they begin does not follow. */
%type word {nq_sql_token}
word(A) ::= ID(A).
word(A) ::= DOUBLE(A).
word(A) ::= EXISTS(A).
word(A) ::= EXTRACT(A).
word(A) ::= SUBSTRING(A).
word(A) ::= TIME(A).
word(A) ::= TIMESTAMP(A).
word(A) ::= TRIM(A).

%type expr {nq_ast_expr *}
expr(A) ::= NULL(T). { A = nq__ast_leaf(p, NQ_AST_NULL, T); }
expr(A) ::= TRUE(T). { A = nq__ast_boolean(p, T, true); }
expr(A) ::= FALSE(T). { A = nq__ast_boolean(p, T, false); }
expr(A) ::= INTEGER(T). { A = nq__ast_integer(p, T); }
expr(A) ::= NUMBER(T). { A = nq__ast_number(p, T); }
expr(A) ::= STRING(T). { A = nq__ast_string(p, T); }
expr(A) ::= BYTES(T). { A = nq__ast_bytes(p, T); }
expr(A) ::= PARAMETER(T). { A = nq__ast_parameter(p, T); }
expr(A) ::= word(T). { A = nq__ast_column(p, T, NULL); }
expr(A) ::= word(T) DOT ID(N). { A = nq__ast_column(p, N, &T); }
expr(A) ::= word(T) DOT STAR. { A = nq__ast_star(p, T, true); }
expr(A) ::= LP(T) expr(E) RP. { A = nq__ast_parens(p, T, E); }
expr(A) ::= query_parens(Q). [UMINUS] { A = nq__ast_subquery(p, Q); }
expr(A) ::= EXISTS(T) query_parens(Q). { A = nq__ast_exists(p, T, Q); }
expr(A) ::= LP(T) expr COMMA exprs RP. { A = NULL; nq__parser_refuse(p, T, "a row of values"); }

expr(A) ::= expr(L) OR(T) expr(R). { A = nq__ast_chain(p, NQ_AST_OR, T, L, R); }
expr(A) ::= expr(L) AND(T) expr(R). { A = nq__ast_chain(p, NQ_AST_AND, T, L, R); }
expr(A) ::= NOT(T) expr(L). { A = nq__ast_not(p, T, L); }

expr(A) ::= expr(L) IS(T) is_test(I). [IS] { A = nq__ast_is(p, T, I, L); }
expr(A) ::= expr(L) ISNULL(T). { A = nq__ast_is(p, T, NQ__IS(NQ_AST_IS_NULL, false), L); }
expr(A) ::= expr(L) NOTNULL(T). { A = nq__ast_is(p, T, NQ__IS(NQ_AST_IS_NULL, true), L); }
expr(A) ::= expr(L) IS(T) DISTINCT FROM expr(R). [IS]
    { A = nq__ast_binary(p, NQ_AST_OP_DISTINCT, T, L, R); }
expr(A) ::= expr(L) IS(T) NOT DISTINCT FROM expr(R). [IS]
    { A = nq__ast_binary(p, NQ_AST_OP_NOT_DISTINCT, T, L, R); }

%type is_test {uint32_t}
is_test(A) ::= NULL. { A = NQ__IS(NQ_AST_IS_NULL, false); }
is_test(A) ::= NOT NULL. { A = NQ__IS(NQ_AST_IS_NULL, true); }
is_test(A) ::= TRUE. { A = NQ__IS(NQ_AST_IS_TRUE, false); }
is_test(A) ::= NOT TRUE. { A = NQ__IS(NQ_AST_IS_TRUE, true); }
is_test(A) ::= FALSE. { A = NQ__IS(NQ_AST_IS_FALSE, false); }
is_test(A) ::= NOT FALSE. { A = NQ__IS(NQ_AST_IS_FALSE, true); }
is_test(A) ::= UNKNOWN. { A = NQ__IS(NQ_AST_IS_UNKNOWN, false); }
is_test(A) ::= NOT UNKNOWN. { A = NQ__IS(NQ_AST_IS_UNKNOWN, true); }

expr(A) ::= expr(L) EQ(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_EQUAL, T, L, R); }
expr(A) ::= expr(L) NE(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_NOT_EQUAL, T, L, R); }
expr(A) ::= expr(L) LT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_LESS, T, L, R); }
expr(A) ::= expr(L) LE(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_LESS_EQUAL, T, L, R); }
expr(A) ::= expr(L) GT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_GREATER, T, L, R); }
expr(A) ::= expr(L) GE(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_GREATER_EQUAL, T, L, R); }

expr(A) ::= expr(L) BETWEEN(T) expr(M) AND expr(H). [BETWEEN]
    { A = nq__ast_between(p, T, false, L, M, H); }
expr(A) ::= expr(L) NOT_INFIX(T) BETWEEN expr(M) AND expr(H). [BETWEEN]
    { A = nq__ast_between(p, T, true, L, M, H); }
expr(A) ::= expr(L) IN(T) LP exprs(E) RP. [IN] { A = nq__ast_in_list(p, T, false, L, E); }
expr(A) ::= expr(L) NOT_INFIX(T) IN LP exprs(E) RP. [IN] { A = nq__ast_in_list(p, T, true, L, E); }
expr(A) ::= expr(L) IN(T) query_parens(Q). [IN] { A = nq__ast_in_query(p, T, false, L, Q); }
expr(A) ::= expr(L) NOT_INFIX(T) IN query_parens(Q). [IN] { A = nq__ast_in_query(p, T, true, L, Q); }
expr(A) ::= expr(L) like(T) expr(R). [LIKE] { A = nq__ast_like(p, T, L, R, NULL); }
expr(A) ::= expr(L) like(T) expr(R) ESCAPE expr(E). [LIKE] { A = nq__ast_like(p, T, L, R, E); }

%type like {nq_sql_like}
like(A) ::= LIKE(T). { A = nq__like(T, false, false); }
like(A) ::= ILIKE(T). { A = nq__like(T, false, true); }
like(A) ::= NOT_INFIX(T) LIKE. { A = nq__like(T, true, false); }
like(A) ::= NOT_INFIX(T) ILIKE. { A = nq__like(T, true, true); }

expr(A) ::= expr(L) CONCAT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_CONCAT, T, L, R); }
expr(A) ::= expr(L) BITAND(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_BIT_AND, T, L, R); }
expr(A) ::= expr(L) BITOR(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_BIT_OR, T, L, R); }
expr(A) ::= expr(L) HASH(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_BIT_XOR, T, L, R); }
expr(A) ::= expr(L) LSHIFT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_SHIFT_LEFT, T, L, R); }
expr(A) ::= expr(L) RSHIFT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_SHIFT_RIGHT, T, L, R); }
expr(A) ::= expr(L) PLUS(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_PLUS, T, L, R); }
expr(A) ::= expr(L) MINUS(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_MINUS, T, L, R); }
expr(A) ::= expr(L) STAR(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_MULTIPLY, T, L, R); }
expr(A) ::= expr(L) SLASH(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_DIVIDE, T, L, R); }
expr(A) ::= expr(L) PERCENT(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_MODULO, T, L, R); }
expr(A) ::= expr(L) CARET(T) expr(R). { A = nq__ast_binary(p, NQ_AST_OP_POWER, T, L, R); }
expr(A) ::= PLUS(T) expr(L). [UMINUS] { A = nq__ast_unary(p, NQ_AST_OP_PLUS, T, L); }
expr(A) ::= MINUS(T) expr(L). [UMINUS] { A = nq__ast_unary(p, NQ_AST_OP_MINUS, T, L); }
expr(A) ::= TILDE(T) expr(L). { A = nq__ast_unary(p, NQ_AST_OP_BIT_NOT, T, L); }

expr(A) ::= expr(L) COLON_COLON(T) type(Y). [COLON_COLON] { A = nq__ast_cast(p, T, L, Y); }
expr(A) ::= CAST(T) LP expr(L) AS type(Y) RP. { A = nq__ast_cast(p, T, L, Y); }
expr(A) ::= ID(T) STRING(S). { A = nq__ast_typed_literal(p, nq__ast_type(p, T, T, NULL), S); }
expr(A) ::= TIMESTAMP(T) zone_opt(Z) STRING(S).
    { A = nq__ast_typed_literal(p, nq__ast_time_type(p, T, NULL, Z), S); }
expr(A) ::= TIME(T) zone_opt(Z) STRING(S).
    { A = nq__ast_typed_literal(p, nq__ast_time_type(p, T, NULL, Z), S); }
expr(A) ::= DOUBLE(T) PRECISION(U) STRING(S).
    { A = nq__ast_typed_literal(p, nq__ast_type(p, T, U, NULL), S); }

expr(A) ::= CASE(T) expr_opt(S) whens(W) else_opt(E) END. { A = nq__ast_case(p, T, S, W, E); }

%type whens {nq_ast_exprs *}
whens(A) ::= WHEN expr(C) THEN expr(R).
    { A = nq__ast_exprs_append(p, nq__ast_exprs_append(p, NULL, C), R); }
whens(A) ::= whens(A) WHEN expr(C) THEN expr(R).
    { A = nq__ast_exprs_append(p, nq__ast_exprs_append(p, A, C), R); }

%type else_opt {nq_ast_expr *}
else_opt(A) ::= . { A = NULL; }
else_opt(A) ::= ELSE expr(E). { A = E; }

%type expr_opt {nq_ast_expr *}
expr_opt(A) ::= . { A = NULL; }
expr_opt(A) ::= expr(A).

%type exprs {nq_ast_exprs *}
exprs(A) ::= expr(E). { A = nq__ast_exprs_append(p, NULL, E); }
exprs(A) ::= exprs(A) COMMA expr(E). { A = nq__ast_exprs_append(p, A, E); }

%type exprs_opt {nq_ast_exprs *}
exprs_opt(A) ::= . { A = NULL; }
exprs_opt(A) ::= exprs(A).

/* ---- Calls ---- */

expr(A) ::= call(C) filter_opt(F). { A = nq__ast_call_filter(p, C, F); }

%type call {nq_ast_expr *}
call(A) ::= function_name(T) LP exprs_opt(E) RP. { A = nq__ast_call(p, T, E, false); }
call(A) ::= function_name(T) LP DISTINCT exprs(E) RP. { A = nq__ast_call(p, T, E, true); }
call(A) ::= function_name(T) LP ALL exprs(E) RP. { A = nq__ast_call(p, T, E, false); }
call(A) ::= function_name(T) LP STAR RP. { A = nq__ast_call_star(p, T); }
call(A) ::= function_name LP exprs ORDER(T) BY orders RP.
    { A = NULL; nq__parser_refuse(p, T, "ORDER BY inside an aggregate"); }
call(A) ::= function_name LP DISTINCT exprs ORDER(T) BY orders RP.
    { A = NULL; nq__parser_refuse(p, T, "ORDER BY inside an aggregate"); }

%type function_name {nq_sql_token}
function_name(A) ::= ID(A).
function_name(A) ::= LEFT(A).
function_name(A) ::= RIGHT(A).

%type filter_opt {nq_ast_expr *}
filter_opt(A) ::= . [LOWEST] { A = NULL; }
filter_opt(A) ::= FILTER LP WHERE expr(E) RP. { A = E; }

expr(A) ::= CURRENT_DATE(T). { A = nq__ast_call_bare(p, T); }
expr(A) ::= CURRENT_TIME(T). { A = nq__ast_call_bare(p, T); }
expr(A) ::= CURRENT_TIMESTAMP(T). { A = nq__ast_call_bare(p, T); }
expr(A) ::= LOCALTIME(T). { A = nq__ast_call_bare(p, T); }
expr(A) ::= LOCALTIMESTAMP(T). { A = nq__ast_call_bare(p, T); }

/* The standard's spellings with words between the arguments become plain calls. */
expr(A) ::= EXTRACT(T) LP ID(F) FROM expr(E) RP. { A = nq__ast_extract(p, T, F, E); }
expr(A) ::= EXTRACT(T) LP STRING(F) FROM expr(E) RP. { A = nq__ast_extract(p, T, F, E); }
expr(A) ::= SUBSTRING(T) LP exprs_opt(E) RP. { A = nq__ast_call(p, T, E, false); }
expr(A) ::= SUBSTRING(T) LP expr(E) FROM expr(S) RP. { A = nq__ast_call3(p, T, E, S, NULL); }
expr(A) ::= SUBSTRING(T) LP expr(E) FROM expr(S) FOR expr(N) RP.
    { A = nq__ast_call3(p, T, E, S, N); }
expr(A) ::= TRIM(T) LP exprs(E) RP. { A = nq__ast_trim(p, T, T, E); }
expr(A) ::= TRIM(T) LP trim_side(S) exprs(E) RP. { A = nq__ast_trim(p, T, S, E); }
expr(A) ::= TRIM(T) LP FROM expr(E) RP.
    { A = nq__ast_trim(p, T, T, nq__ast_exprs_append(p, NULL, E)); }
expr(A) ::= TRIM(T) LP trim_side(S) FROM expr(E) RP.
    { A = nq__ast_trim(p, T, S, nq__ast_exprs_append(p, NULL, E)); }
expr(A) ::= TRIM(T) LP expr(C) FROM expr(E) RP. { A = nq__ast_trim(p, T, T, nq__ast_pair(p, E, C)); }
expr(A) ::= TRIM(T) LP trim_side(S) expr(C) FROM expr(E) RP.
    { A = nq__ast_trim(p, T, S, nq__ast_pair(p, E, C)); }

%type trim_side {nq_sql_token}
trim_side(A) ::= BOTH(A).
trim_side(A) ::= LEADING(A).
trim_side(A) ::= TRAILING(A).

/* ---- Queries ---- */

%type query {nq_ast_query *}
%type query_parens {nq_ast_query *}
%type query_bare {nq_ast_query *}
%type query_operand {nq_ast_query *}
%type query_simple {nq_ast_query *}

query(A) ::= query_bare(A).
query(A) ::= query_parens(A).

query_parens(A) ::= LP query_bare(Q) RP. { A = Q; }
query_parens(A) ::= LP query_parens(Q) RP. { A = Q; }

query_bare(A) ::= query_simple(A).
query_bare(A) ::= query_operand(Q) order_by(O). { A = nq__ast_query_tail(p, Q, NULL, O, NULL); }
query_bare(A) ::= query_operand(Q) order_by_opt(O) limits(L).
    { A = nq__ast_query_tail(p, Q, NULL, O, L); }
query_bare(A) ::= with(W) query_operand(Q). { A = nq__ast_query_tail(p, Q, W, NULL, NULL); }
query_bare(A) ::= with(W) query_operand(Q) order_by(O).
    { A = nq__ast_query_tail(p, Q, W, O, NULL); }
query_bare(A) ::= with(W) query_operand(Q) order_by_opt(O) limits(L).
    { A = nq__ast_query_tail(p, Q, W, O, L); }

query_operand(A) ::= query_simple(A).
query_operand(A) ::= query_parens(A).

query_simple(A) ::= SELECT(T) distinct_opt(D) items(I) from_opt(F) where_opt(W) group_by_opt(G)
                    having_opt(H).
    { A = nq__ast_select(p, T, &(nq_sql_select){D, I, F, W, G, H}); }
query_simple(A) ::= VALUES(T) rows(R). { A = nq__ast_values(p, T, R); }
query_simple(A) ::= query_operand(L) UNION(T) all_opt(D) query_operand(R). [UNION]
    { A = nq__ast_set_operation(p, NQ_AST_UNION, T, D, L, R); }
query_simple(A) ::= query_operand(L) EXCEPT(T) all_opt(D) query_operand(R). [EXCEPT]
    { A = nq__ast_set_operation(p, NQ_AST_EXCEPT, T, D, L, R); }
query_simple(A) ::= query_operand(L) INTERSECT(T) all_opt(D) query_operand(R). [INTERSECT]
    { A = nq__ast_set_operation(p, NQ_AST_INTERSECT, T, D, L, R); }

%type all_opt {bool}
all_opt(A) ::= . { A = false; }
all_opt(A) ::= DISTINCT. { A = false; }
all_opt(A) ::= ALL. { A = true; }

%type distinct_opt {bool}
distinct_opt(A) ::= . { A = false; }
distinct_opt(A) ::= ALL. { A = false; }
distinct_opt(A) ::= DISTINCT. { A = true; }
distinct_opt(A) ::= DISTINCT ON(T) LP exprs RP.
    { A = false; nq__parser_refuse(p, T, "DISTINCT ON"); }

%type with {nq_ast_withs *}
%type with_list {nq_ast_withs *}
with(A) ::= WITH with_list(L). { A = L; }
with(A) ::= WITH RECURSIVE(T) with_list. { A = NULL; nq__parser_refuse(p, T, "WITH RECURSIVE"); }
with_list(A) ::= name(N) names_opt(C) AS query_parens(Q).
    { A = nq__ast_withs_append(p, NULL, N, C, Q); }
with_list(A) ::= with_list(A) COMMA name(N) names_opt(C) AS query_parens(Q).
    { A = nq__ast_withs_append(p, A, N, C, Q); }

%type items {nq_ast_items *}
items(A) ::= item(I). { A = nq__ast_items_append(p, NULL, I); }
items(A) ::= items(A) COMMA item(I). { A = nq__ast_items_append(p, A, I); }

%type item {nq_ast_item *}
item(A) ::= STAR(T). { A = nq__ast_item(p, nq__ast_star(p, T, false), NULL); }
item(A) ::= expr(E). { A = nq__ast_item(p, E, NULL); }
item(A) ::= expr(E) AS name(N). { A = nq__ast_item(p, E, N); }
item(A) ::= expr(E) name(N). { A = nq__ast_item(p, E, N); }

%type from_opt {nq_ast_froms *}
from_opt(A) ::= . { A = NULL; }
from_opt(A) ::= FROM froms(F). { A = F; }

%type froms {nq_ast_froms *}
froms(A) ::= from(F). { A = nq__ast_froms_append(p, NULL, F); }
froms(A) ::= froms(A) COMMA from(F). { A = nq__ast_froms_append(p, A, F); }

%type from {nq_ast_from *}
%type join {nq_ast_from *}
from(A) ::= table_name(N) alias_opt(S). { A = nq__ast_from_table(p, N, S); }
from(A) ::= query_parens(Q) alias_opt(S). { A = nq__ast_from_query(p, Q, S); }
from(A) ::= ID(T) LP exprs_opt(E) RP alias_opt(S). { A = nq__ast_from_function(p, T, E, S); }
from(A) ::= join(A).
from(A) ::= LP(T) join RP name. { A = NULL; nq__parser_refuse(p, T, "an alias of a joined table"); }
from(A) ::= LP(T) join RP AS name. { A = NULL; nq__parser_refuse(p, T, "an alias of a joined table"); }

join(A) ::= LP join(J) RP. { A = J; }
join(A) ::= from(L) CROSS(T) JOIN from(R).
    { A = nq__ast_join(p, T, NQ_AST_JOIN_CROSS, L, R, NULL, NULL); }
join(A) ::= from(L) join_kind(K) JOIN(T) from(R) ON expr(E).
    { A = nq__ast_join(p, T, K, L, R, E, NULL); }
join(A) ::= from(L) join_kind(K) JOIN(T) from(R) USING LP names(N) RP.
    { A = nq__ast_join(p, T, K, L, R, NULL, N); }
join(A) ::= from(L) JOIN(T) from(R) ON expr(E).
    { A = nq__ast_join(p, T, NQ_AST_JOIN_INNER, L, R, E, NULL); }
join(A) ::= from(L) JOIN(T) from(R) USING LP names(N) RP.
    { A = nq__ast_join(p, T, NQ_AST_JOIN_INNER, L, R, NULL, N); }
join(A) ::= from(L) NATURAL(T) join_kind(K) JOIN from(R).
    { A = nq__ast_natural_join(p, T, K, L, R); }
join(A) ::= from(L) NATURAL(T) JOIN from(R).
    { A = nq__ast_natural_join(p, T, NQ_AST_JOIN_INNER, L, R); }

%type join_kind {nq_ast_join_kind}
join_kind(A) ::= INNER. { A = NQ_AST_JOIN_INNER; }
join_kind(A) ::= LEFT outer_opt. { A = NQ_AST_JOIN_LEFT; }
join_kind(A) ::= RIGHT outer_opt. { A = NQ_AST_JOIN_RIGHT; }
join_kind(A) ::= FULL outer_opt. { A = NQ_AST_JOIN_FULL; }
outer_opt ::= .
outer_opt ::= OUTER.

%type alias_opt {nq_sql_alias *}
alias_opt(A) ::= . { A = NULL; }
alias_opt(A) ::= name(N). { A = nq__alias(p, N, NULL); }
alias_opt(A) ::= AS name(N). { A = nq__alias(p, N, NULL); }
alias_opt(A) ::= name(N) LP names(C) RP. { A = nq__alias(p, N, C); }
alias_opt(A) ::= AS name(N) LP names(C) RP. { A = nq__alias(p, N, C); }

%type where_opt {nq_ast_expr *}
where_opt(A) ::= . { A = NULL; }
where_opt(A) ::= WHERE expr(E). { A = E; }

%type group_by_opt {nq_ast_exprs *}
group_by_opt(A) ::= . { A = NULL; }
group_by_opt(A) ::= GROUP BY exprs(E). { A = E; }

%type having_opt {nq_ast_expr *}
having_opt(A) ::= . { A = NULL; }
having_opt(A) ::= HAVING expr(E). { A = E; }

%type order_by {nq_ast_orders *}
%type order_by_opt {nq_ast_orders *}
order_by(A) ::= ORDER BY orders(O). { A = O; }
order_by_opt(A) ::= . { A = NULL; }
order_by_opt(A) ::= order_by(A).

%type orders {nq_ast_orders *}
orders(A) ::= order(O). { A = nq__ast_orders_append(p, NULL, O); }
orders(A) ::= orders(A) COMMA order(O). { A = nq__ast_orders_append(p, A, O); }

%type order {nq_ast_order *}
order(A) ::= expr(E) direction_opt(D) nulls_opt(N). { A = nq__ast_order(p, E, D, N); }

%type direction_opt {bool}
direction_opt(A) ::= . { A = false; }
direction_opt(A) ::= ASC. { A = false; }
direction_opt(A) ::= DESC. { A = true; }

%type nulls_opt {nq_ast_nulls}
nulls_opt(A) ::= . { A = NQ_AST_NULLS_DEFAULT; }
nulls_opt(A) ::= NULLS FIRST. { A = NQ_AST_NULLS_FIRST; }
nulls_opt(A) ::= NULLS LAST. { A = NQ_AST_NULLS_LAST; }

%type limits {nq_sql_limits *}
limits(A) ::= limit(L). { A = nq__limits(p, L, NULL); }
limits(A) ::= offset(O). { A = nq__limits(p, NULL, O); }
limits(A) ::= limit(L) offset(O). { A = nq__limits(p, L, O); }
limits(A) ::= offset(O) limit(L). { A = nq__limits(p, L, O); }

/* LIMIT ALL is LIMIT NULL, which is no limit. */
%type limit {nq_ast_expr *}
limit(A) ::= LIMIT expr(E). { A = E; }
limit(A) ::= LIMIT ALL(T). { A = nq__ast_leaf(p, NQ_AST_NULL, T); }
limit(A) ::= FETCH first_or_next fetch_count(E) row_or_rows ONLY. { A = E; }
limit(A) ::= FETCH(T) first_or_next row_or_rows ONLY. { A = nq__ast_one(p, T); }

%type fetch_count {nq_ast_expr *}
fetch_count(A) ::= INTEGER(T). { A = nq__ast_integer(p, T); }
fetch_count(A) ::= PARAMETER(T). { A = nq__ast_parameter(p, T); }
fetch_count(A) ::= LP expr(E) RP. { A = E; }

%type offset {nq_ast_expr *}
offset(A) ::= OFFSET expr(E). { A = E; }
offset(A) ::= OFFSET expr(E) row_or_rows. { A = E; }

first_or_next ::= FIRST.
first_or_next ::= NEXT.
row_or_rows ::= ROW.
row_or_rows ::= ROWS.

%type rows {nq_ast_rows *}
rows(A) ::= LP(T) values(V) RP. { A = nq__ast_rows_append(p, NULL, T, V); }
rows(A) ::= rows(A) COMMA LP(T) values(V) RP. { A = nq__ast_rows_append(p, A, T, V); }

%type values {nq_ast_exprs *}
values(A) ::= value(E). { A = nq__ast_exprs_append(p, NULL, E); }
values(A) ::= values(A) COMMA value(E). { A = nq__ast_exprs_append(p, A, E); }

%type value {nq_ast_expr *}
value(A) ::= expr(A).
value(A) ::= DEFAULT(T). { A = nq__ast_leaf(p, NQ_AST_DEFAULT, T); }

plain_statement(A) ::= query(Q). { A = nq__ast_query_statement(p, Q); }

/* ---- INSERT, UPDATE, DELETE, TRUNCATE ---- */

plain_statement(A) ::= INSERT(T) INTO insert_target(I) insert_source(S) conflict_opt(C)
                       returning_opt(R).
    { A = nq__ast_insert(p, T, I, S, C, R); }

%type insert_target {nq_ast_insert *}
insert_target(A) ::= table_name(N). { A = nq__ast_insert_target(p, N, NULL); }
insert_target(A) ::= table_name(N) AS name(S). { A = nq__ast_insert_target(p, N, S); }

%type insert_source {nq_ast_insert *}
insert_source(A) ::= DEFAULT VALUES. { A = nq__ast_insert_source(p, NULL, NULL); }
insert_source(A) ::= query(Q). { A = nq__ast_insert_source(p, NULL, Q); }
insert_source(A) ::= LP names(C) RP query(Q). { A = nq__ast_insert_source(p, C, Q); }

%type conflict_opt {nq_ast_insert *}
conflict_opt(A) ::= . { A = NULL; }
conflict_opt(A) ::= ON(T) CONFLICT names_opt(N) DO NOTHING.
    { A = nq__ast_conflict(p, T, NQ_AST_CONFLICT_NOTHING, N, NULL, NULL); }
conflict_opt(A) ::= ON(T) CONFLICT names_opt(N) DO UPDATE SET sets(S) where_opt(W).
    { A = nq__ast_conflict(p, T, NQ_AST_CONFLICT_UPDATE, N, S, W); }
conflict_opt(A) ::= ON CONFLICT ON(T) CONSTRAINT name DO NOTHING.
    { A = NULL; nq__parser_refuse(p, T, "ON CONFLICT ON CONSTRAINT"); }

%type returning_opt {nq_ast_items *}
returning_opt(A) ::= . { A = NULL; }
returning_opt(A) ::= RETURNING items(I). { A = I; }

plain_statement(A) ::= UPDATE(T) target(N) SET sets(S) update_from_opt where_opt(W)
                       returning_opt(R).
    { A = nq__ast_update(p, T, N, S, W, R); }
update_from_opt ::= .
update_from_opt ::= FROM(T) froms. { nq__parser_refuse(p, T, "UPDATE .. FROM"); }

plain_statement(A) ::= DELETE(T) FROM target(N) delete_using_opt where_opt(W) returning_opt(R).
    { A = nq__ast_delete(p, T, N, W, R); }
delete_using_opt ::= .
delete_using_opt ::= USING(T) froms. { nq__parser_refuse(p, T, "DELETE .. USING"); }

%type target {nq_sql_target *}
target(A) ::= table_name(N). { A = nq__target(p, N, NULL); }
target(A) ::= table_name(N) name(S). { A = nq__target(p, N, S); }
target(A) ::= table_name(N) AS name(S). { A = nq__target(p, N, S); }

%type sets {nq_ast_sets *}
sets(A) ::= set(S). { A = nq__ast_sets_append(p, NULL, S); }
sets(A) ::= sets(A) COMMA set(S). { A = nq__ast_sets_append(p, A, S); }

%type set {nq_ast_set *}
set(A) ::= name(N) EQ value(E). { A = nq__ast_set(p, N, E); }
set(A) ::= LP(T) names RP EQ value. { A = NULL; nq__parser_refuse(p, T, "SET (columns) = ..."); }

plain_statement(A) ::= TRUNCATE(T) table_opt table_names(N) identity_opt(I) behavior_opt.
    { A = nq__ast_truncate(p, T, N, I); }
table_opt ::= .
table_opt ::= TABLE.

%type identity_opt {bool}
identity_opt(A) ::= . { A = false; }
identity_opt(A) ::= CONTINUE IDENTITY. { A = false; }
identity_opt(A) ::= RESTART IDENTITY. { A = true; }

/* Nothing depends on a table in this version, so both say the same. */
behavior_opt ::= .
behavior_opt ::= CASCADE.
behavior_opt ::= RESTRICT.

/* ---- CREATE TABLE, DROP TABLE ---- */

plain_statement(A) ::= CREATE(T) TABLE if_not_exists_opt(I) table_name(N) LP table_parts(C) RP.
    { A = nq__ast_create_table(p, T, N, I, C); }
plain_statement(A) ::= CREATE TABLE if_not_exists_opt table_name AS(T) query.
    { A = NULL; nq__parser_refuse(p, T, "CREATE TABLE AS"); }

%type if_not_exists_opt {bool}
if_not_exists_opt(A) ::= . { A = false; }
if_not_exists_opt(A) ::= IF NOT EXISTS. { A = true; }

%type table_parts {nq_ast_create_table *}
table_parts(A) ::= column(C). { A = nq__ast_table_column(p, NULL, C); }
table_parts(A) ::= table_parts(A) COMMA column(C). { A = nq__ast_table_column(p, A, C); }
table_parts(A) ::= table_parts(A) COMMA constraint_name_opt(N) PRIMARY(T) KEY LP names(K) RP.
    { A = nq__ast_table_primary_key(p, A, N, T, K); }
table_parts(A) ::= table_parts(A) COMMA constraint_name_opt(N) CHECK(T) LP expr(E) RP.
    { A = nq__ast_table_check(p, A, N, T, E); }

%type constraint_name_opt {nq_ast_name *}
constraint_name_opt(A) ::= . { A = NULL; }
constraint_name_opt(A) ::= CONSTRAINT name(N). { A = N; }

%type column {nq_sql_column *}
column(A) ::= name(N) type(T). { A = nq__column(p, N, T); }
column(A) ::= column(A) NOT NULL(T). { nq__column_not_null(p, A, T); }
column(A) ::= column(A) NULL(T). { nq__column_null(p, A, T); }
column(A) ::= column(A) DEFAULT(T) expr(E). { nq__column_default(p, A, T, E); }
column(A) ::= column(A) constraint_name_opt(N) PRIMARY(T) KEY.
    { nq__column_primary_key(p, A, N, T); }
column(A) ::= column(A) constraint_name_opt(N) CHECK(T) LP expr(E) RP.
    { nq__column_check(p, A, N, T, E); }
column(A) ::= column(A) AUTO_INCREMENT(T). { nq__column_generated(p, A, T, false); }
column(A) ::= column(A) AUTOINCREMENT(T). { nq__column_generated(p, A, T, false); }
column(A) ::= column(A) GENERATED(T) BY DEFAULT AS IDENTITY. { nq__column_generated(p, A, T, false); }
column(A) ::= column(A) GENERATED(T) ALWAYS AS IDENTITY. { nq__column_generated(p, A, T, true); }
column(A) ::= column(A) GENERATED ALWAYS AS(T) LP expr RP stored_opt.
    { nq__parser_refuse(p, T, "a generated column"); }
stored_opt ::= .
stored_opt ::= STORED.
stored_opt ::= VIRTUAL.

plain_statement(A) ::= DROP(T) TABLE if_exists_opt(I) table_names(N) behavior_opt.
    { A = nq__ast_drop_table(p, T, N, I); }

%type if_exists_opt {bool}
if_exists_opt(A) ::= . { A = false; }
if_exists_opt(A) ::= IF EXISTS. { A = true; }

/* ---- Transactions ---- */

plain_statement(A) ::= BEGIN(T) work_opt modes_opt(M). { A = nq__ast_begin(p, T, M); }
plain_statement(A) ::= START(T) TRANSACTION modes_opt(M). { A = nq__ast_begin(p, T, M); }
plain_statement(A) ::= COMMIT(T) work_opt.
    { A = nq__ast_statement(p, NQ_AST_STATEMENT_COMMIT, T); }
plain_statement(A) ::= END(T) work_opt. { A = nq__ast_statement(p, NQ_AST_STATEMENT_COMMIT, T); }
plain_statement(A) ::= ROLLBACK(T) work_opt.
    { A = nq__ast_statement(p, NQ_AST_STATEMENT_ROLLBACK, T); }
plain_statement(A) ::= ABORT(T) work_opt.
    { A = nq__ast_statement(p, NQ_AST_STATEMENT_ROLLBACK, T); }
plain_statement(A) ::= ROLLBACK(T) work_opt TO savepoint_opt name(N).
    { A = nq__ast_savepoint(p, NQ_AST_STATEMENT_ROLLBACK_TO, T, N); }
plain_statement(A) ::= SAVEPOINT(T) name(N).
    { A = nq__ast_savepoint(p, NQ_AST_STATEMENT_SAVEPOINT, T, N); }
plain_statement(A) ::= RELEASE(T) savepoint_opt name(N).
    { A = nq__ast_savepoint(p, NQ_AST_STATEMENT_RELEASE, T, N); }

work_opt ::= .
work_opt ::= WORK.
work_opt ::= TRANSACTION.
savepoint_opt ::= .
savepoint_opt ::= SAVEPOINT.

%type modes_opt {nq_sql_modes}
%type modes {nq_sql_modes}
%type mode {nq_sql_modes}
modes_opt(A) ::= . { A = nq__mode_isolation(NQ_AST_ISOLATION_DEFAULT); }
modes_opt(A) ::= modes(A).
modes(A) ::= mode(A).
modes(A) ::= modes(L) comma_opt(T) mode(R). { A = nq__modes_join(p, T, L, R); }

%type comma_opt {nq_sql_token}
comma_opt(A) ::= . { A = nq__token_none(); }
comma_opt(A) ::= COMMA(A).

mode(A) ::= ISOLATION LEVEL READ UNCOMMITTED.
    { A = nq__mode_isolation(NQ_AST_ISOLATION_READ_COMMITTED); }
mode(A) ::= ISOLATION LEVEL READ COMMITTED.
    { A = nq__mode_isolation(NQ_AST_ISOLATION_READ_COMMITTED); }
mode(A) ::= ISOLATION LEVEL REPEATABLE READ.
    { A = nq__mode_isolation(NQ_AST_ISOLATION_REPEATABLE_READ); }
mode(A) ::= ISOLATION LEVEL SERIALIZABLE.
    { A = nq__mode_isolation(NQ_AST_ISOLATION_SERIALIZABLE); }
mode(A) ::= READ ONLY. { A = nq__mode_access(true); }
mode(A) ::= READ WRITE. { A = nq__mode_access(false); }

/* ---- What a syntax error wants to know ---- */

%code {
_Static_assert(YYNTOKEN == NQ__TOKEN_COUNT, "the header counts the tokens");
_Static_assert(sizeof(yyParser) <= NQ__GRAMMAR_BYTES, "the driver's buffer holds the parser");

enum { OVERLAY_MAX = 64 };

/* Plays the automaton on from its present stack: `code` is acceptable when it would be shifted. States
 * reached on the way stand in `overlay`, above what is left of the real stack; one above YY_MAX_SHIFT
 * is a reduction that is due. */
bool nq__grammar_accepts(const void *grammar, int code) {
    const yyParser *parser = grammar;
    const yyStackEntry *top = parser->yytos;
    YYACTIONTYPE overlay[OVERLAY_MAX];
    int overlay_size = 0;
    YYACTIONTYPE action = top->stateno;
    for (;;) {
        if (action <= YY_MAX_SHIFT) {
            int at = yy_shift_ofst[action] + code;
            action = at < YY_NLOOKAHEAD && yy_lookahead[at] == code ? yy_action[at]
                                                                     : yy_default[action];
        }
        if (action < YY_MIN_REDUCE) {
            return action <= YY_MAX_SHIFTREDUCE || action == YY_ACCEPT_ACTION;
        }
        int rule = action - YY_MIN_REDUCE;
        int popped = -yyRuleInfoNRhs[rule];
        int popped_overlay = popped < overlay_size ? popped : overlay_size;
        overlay_size -= popped_overlay;
        top -= popped - popped_overlay;
        if (overlay_size == OVERLAY_MAX) {
            return false;
        }
        YYACTIONTYPE base = overlay_size > 0 ? overlay[overlay_size - 1] : top->stateno;
        action = yy_find_reduce_action(base, yyRuleInfoLhs[rule]);
        overlay[overlay_size++] = action;
    }
}
}
