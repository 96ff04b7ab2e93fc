/* Import plan: columns, types, header and ingest id, from the options, the table and the file — in
 * this order of precedence. When types must be inferred, every value of the file is looked at
 * first; nothing is sent on a guess. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/c/rpc.h"
#include "sdk/cli/import_internal.h"
#include "sdk/cli/infer.h"
#include "sdk/cli/literal.h"

char **nq__list_split(const char *list, size_t *out_count) {
    size_t count = 1;
    for (const char *c = list; *c != '\0'; c++) {
        count += *c == ',' ? 1 : 0;
    }
    char **words = nq_must_allocate(count * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        const char *from = list + strspn(list, " ");
        size_t bytes = strcspn(from, ",");
        list = from[bytes] == ',' ? from + bytes + 1 : from + bytes;
        while (bytes > 0 && from[bytes - 1] == ' ') {
            bytes--;
        }
        words[i] = nq_must_copy(from, bytes);
    }
    *out_count = count;
    return words;
}

static int refuse(const char *format, const char *word) {
    fputs("nq: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return NQ_EXIT_USAGE;
}

/* ---- The file ---- */

/* What one reading of the whole file tells. */
typedef struct survey {
    nq_csv_field *first; /* the first record, copied */
    nq_inference *first_types;
    nq_inference *rest;
    size_t field_count;
    uint64_t record_count;
} survey;

static void keep_first(survey *s, const nq_csv_reader *reader) {
    s->field_count = reader->field_count;
    s->first = nq_must_allocate(s->field_count * sizeof *s->first);
    s->first_types = nq_must_allocate(s->field_count * sizeof *s->first_types);
    s->rest = nq_must_allocate(s->field_count * sizeof *s->rest);
    for (size_t i = 0; i < s->field_count; i++) {
        s->first[i] = reader->fields[i];
        s->first[i].text = nq_must_copy(reader->fields[i].text, reader->fields[i].bytes);
        nq_inference_init(&s->first_types[i]);
        nq_inference_observe(&s->first_types[i], &reader->fields[i]);
        nq_inference_init(&s->rest[i]);
    }
}

static void deinit_survey(survey *s) {
    for (size_t i = 0; i < s->field_count; i++) {
        free((char *)(uintptr_t)s->first[i].text);
    }
    free(s->first);
    free(s->first_types);
    free(s->rest);
}

static int wrong_width(const nq_csv_reader *reader, size_t wanted) {
    fprintf(stderr, "nq: line %" PRIu64 ": %zu fields where %zu were expected\n", reader->line,
            reader->field_count, wanted);
    return NQ_EXIT_LOCAL;
}

/* Reads the file; `records_max` 0: all of it. */
static int make_survey(nq_import_source *source, char delimiter, uint64_t records_max,
                       survey *out_survey) {
    *out_survey = (survey){0};
    int exit_code = nq__import_source_open(source);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    nq_csv_reader reader;
    nq_csv_reader_init(&reader, source->file, delimiter);
    nq_csv_step step = NQ_CSV_END;
    while (exit_code == NQ_EXIT_OK &&
           (records_max == 0 || out_survey->record_count < records_max) &&
           (step = nq_csv_reader_next(&reader)) == NQ_CSV_RECORD) {
        if (out_survey->record_count++ == 0) {
            keep_first(out_survey, &reader);
        } else if (reader.field_count != out_survey->field_count) {
            exit_code = wrong_width(&reader, out_survey->field_count);
        } else {
            for (size_t i = 0; i < reader.field_count; i++) {
                nq_inference_observe(&out_survey->rest[i], &reader.fields[i]);
            }
        }
    }
    if (exit_code == NQ_EXIT_OK && step == NQ_CSV_ERROR) {
        fprintf(stderr, "nq: line %" PRIu64 ": %s\n", reader.line, reader.error);
        exit_code = NQ_EXIT_LOCAL;
    }
    nq_csv_reader_deinit(&reader);
    int close_code = nq__import_source_close(source);
    return exit_code == NQ_EXIT_OK ? close_code : exit_code;
}

/* ---- The table ---- */

/* NULL without a failure: there is no such table. */
static int find_table(nq_session *session, const char *name,
                      Neuroquantum__V1__GetTableResponse **out_table) {
    Neuroquantum__V1__GetTableRequest request = NEUROQUANTUM__V1__GET_TABLE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    nq_failure failure;
    request.name = (char *)(uintptr_t)name;
    nq_code code = nq_client_call_unary(
        session->client, "/neuroquantum.v1.QueryService/GetTable", &request.base,
        &neuroquantum__v1__get_table_response__descriptor, 0, &message, &failure);
    *out_table = (void *)message;
    return code == NQ_CODE_OK || code == NQ_CODE_NOT_FOUND ? NQ_EXIT_OK
                                                           : nq_session_report(&failure, NULL, 0);
}

static nq_data_type type_in_table(const Neuroquantum__V1__GetTableResponse *table,
                                  const char *name) {
    for (size_t i = 0; table != NULL && i < table->n_columns; i++) {
        if (strcmp(table->columns[i]->name, name) == 0) {
            return table->columns[i]->type != NULL
                       ? (nq_data_type)table->columns[i]->type->data_type
                       : NQ_DATA_TEXT;
        }
    }
    return NQ_DATA_UNKNOWN;
}

/* ---- Together ---- */

static bool decide_header(const nq_import_options *options, const survey *s,
                          const Neuroquantum__V1__GetTableResponse *table) {
    if (options->has_header || options->has_no_header) {
        return options->has_header;
    }
    size_t known = 0;
    for (size_t i = 0; table != NULL && i < s->field_count; i++) {
        nq_text name = {0};
        nq_column_name_from_field(&name, &s->first[i]);
        known += type_in_table(table, nq_text_string(&name)) != NQ_DATA_UNKNOWN ? 1 : 0;
        nq_text_deinit(&name);
    }
    return (known != 0 && known == s->field_count) ||
           nq_record_is_header(s->first, s->rest, s->field_count);
}

static int decide_names(const nq_import_options *options, const survey *s,
                        const Neuroquantum__V1__GetTableResponse *table, nq_import_plan *plan) {
    if (options->column_names != NULL) {
        size_t count;
        plan->names = nq__list_split(options->column_names, &count);
        plan->column_count = count;
        return count == s->field_count
                   ? NQ_EXIT_OK
                   : refuse("--columns %s names another number of columns than the file has",
                            options->column_names);
    }
    if (!plan->has_header && table != NULL && table->n_columns != s->field_count) {
        return refuse("table '%s' has another number of columns than the file; name them with "
                      "--columns",
                      options->table);
    }
    plan->column_count = s->field_count;
    plan->names = nq_must_allocate(s->field_count * sizeof *plan->names);
    for (size_t i = 0; i < s->field_count; i++) {
        nq_text name = {0};
        if (plan->has_header) {
            nq_column_name_from_field(&name, &s->first[i]);
        } else if (table != NULL) {
            nq_text_append_string(&name, table->columns[i]->name);
        } else {
            nq_text_append_format(&name, "c%zu", i + 1);
        }
        plan->names[i] = nq_must_copy(nq_text_string(&name), name.bytes);
        nq_text_deinit(&name);
    }
    return NQ_EXIT_OK;
}

static int types_from_list(const char *list, nq_import_plan *plan) {
    size_t count;
    char **words = nq__list_split(list, &count);
    int exit_code = NQ_EXIT_OK;
    if (count != plan->column_count) {
        exit_code = refuse("--types %s names another number of types than there are columns", list);
    }
    for (size_t i = 0; i < count; i++) {
        if (exit_code == NQ_EXIT_OK) {
            plan->types[i] = nq_data_type_find(words[i], strlen(words[i]));
            exit_code = plan->types[i] != NQ_DATA_UNKNOWN ? NQ_EXIT_OK
                                                          : refuse("no such type: %s", words[i]);
        }
        free(words[i]);
    }
    free(words);
    return exit_code;
}

/* The inference over all records that are data. */
static nq_data_type inferred_type(const survey *s, size_t column, bool has_header) {
    nq_inference all = s->rest[column];
    if (!has_header) {
        const nq_inference *first = &s->first_types[column];
        all.possible &= first->possible;
        bool zones_differ = all.has_values && first->has_values && all.has_zone != first->has_zone;
        all.has_values = all.has_values || first->has_values;
        if (zones_differ && nq_inference_type(&all) == NQ_DATA_TIMESTAMP) {
            return NQ_DATA_TEXT;
        }
    }
    return nq_inference_type(&all);
}

static int decide_types(const nq_import_options *options, const survey *s,
                        const Neuroquantum__V1__GetTableResponse *table, nq_import_plan *plan) {
    plan->types = nq_must_allocate(plan->column_count * sizeof *plan->types);
    if (options->types != NULL) {
        return types_from_list(options->types, plan);
    }
    for (size_t i = 0; i < plan->column_count; i++) {
        plan->types[i] = table != NULL ? type_in_table(table, plan->names[i])
                                       : inferred_type(s, i, plan->has_header);
        if (plan->types[i] == NQ_DATA_UNKNOWN) {
            return refuse("the table has no column '%s'; name the file's columns with --columns",
                          plan->names[i]);
        }
        if (plan->types[i] == NQ_DATA_BYTES || plan->types[i] == NQ_DATA_TIME ||
            plan->types[i] == NQ_DATA_UUID || plan->types[i] == NQ_DATA_DECIMAL) {
            plan->types[i] = NQ_DATA_TEXT; /* the server casts it */
        }
    }
    return NQ_EXIT_OK;
}

/* The same file into the same table is the same load, until the file changes. */
static void decide_ingest_id(const nq_import_options *options, const nq_import_source *source,
                             nq_import_plan *plan) {
    struct stat info;
    if (options->ingest_id != NULL) {
        snprintf(plan->ingest_id, sizeof plan->ingest_id, "%s", options->ingest_id);
        return;
    }
    char *path = source->spool != NULL ? NULL : realpath(options->path, NULL);
    if (path != NULL && stat(path, &info) == 0) {
        nq_text words = {0};
        nq_text_append_format(&words, "%s\n%s\n%lld\n%lld.%09ld", options->table, path,
                              (long long)info.st_size, (long long)info.st_mtim.tv_sec,
                              info.st_mtim.tv_nsec);
        uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
        for (size_t i = 0; i < words.bytes; i++) {
            hash = (hash ^ (unsigned char)words.data[i]) * UINT64_C(0x100000001b3);
        }
        snprintf(plan->ingest_id, sizeof plan->ingest_id, "import-%016" PRIx64, hash);
        nq_text_deinit(&words);
    }
    free(path);
}

static int decide_delimiter(const nq_import_options *options, nq_import_plan *plan) {
    const char *delimiter = options->delimiter != NULL ? options->delimiter : ",";
    plan->delimiter = strcmp(delimiter, "tab") == 0 ? '\t' : delimiter[0];
    bool good = (plan->delimiter == '\t' || strlen(delimiter) == 1) && plan->delimiter != '"' &&
                plan->delimiter != '\n' && plan->delimiter != '\r';
    return good ? NQ_EXIT_OK : refuse("--delimiter '%s': one character, or tab", delimiter);
}

int nq__import_plan_make(nq_session *session, const nq_import_options *options,
                         nq_import_source *source, nq_import_plan *out_plan) {
    *out_plan = (nq_import_plan){0};
    survey s = {0};
    Neuroquantum__V1__GetTableResponse *table = NULL;
    int exit_code = decide_delimiter(options, out_plan);
    if (exit_code == NQ_EXIT_OK) {
        exit_code = find_table(session, options->table, &table);
    }
    if (exit_code == NQ_EXIT_OK && table == NULL && !options->create) {
        exit_code = refuse("no table '%s'; --create makes it from the file", options->table);
    }
    if (exit_code == NQ_EXIT_OK) {
        out_plan->table_exists = table != NULL;
        bool must_infer = table == NULL && options->types == NULL;
        exit_code = make_survey(source, out_plan->delimiter, must_infer ? 0 : 100, &s);
    }
    if (exit_code == NQ_EXIT_OK && s.field_count == 0) {
        exit_code = refuse("%s is empty", options->path);
    }
    if (exit_code == NQ_EXIT_OK) {
        out_plan->has_header = decide_header(options, &s, table);
        exit_code = decide_names(options, &s, table, out_plan);
    }
    if (exit_code == NQ_EXIT_OK) {
        exit_code = decide_types(options, &s, table, out_plan);
        decide_ingest_id(options, source, out_plan);
        if (table == NULL && options->types == NULL) {
            out_plan->record_count = s.record_count - (out_plan->has_header ? 1 : 0);
        }
    }
    deinit_survey(&s);
    if (table != NULL) {
        neuroquantum__v1__get_table_response__free_unpacked(table, NULL);
    }
    return exit_code;
}

void nq__import_plan_deinit(nq_import_plan *plan) {
    for (size_t i = 0; plan->names != NULL && i < plan->column_count; i++) {
        free(plan->names[i]);
    }
    free(plan->names);
    free(plan->types);
    *plan = (nq_import_plan){0};
}

int nq__import_create_table(nq_session *session, const nq_import_options *options,
                            const nq_import_plan *plan) {
    nq_text sql = {0};
    nq_text_append_string(&sql, "CREATE TABLE ");
    nq_text_append_identifier(&sql, options->table);
    for (size_t i = 0; i < plan->column_count; i++) {
        nq_text_append_string(&sql, i == 0 ? " (" : ", ");
        nq_text_append_identifier(&sql, plan->names[i]);
        nq_text_append_format(&sql, " %s", nq_data_type_sql(plan->types[i]));
    }
    if (options->key != NULL) {
        size_t count;
        char **words = nq__list_split(options->key, &count);
        for (size_t i = 0; i < count; i++) {
            nq_text_append_string(&sql, i == 0 ? ", PRIMARY KEY (" : ", ");
            nq_text_append_identifier(&sql, words[i]);
            free(words[i]);
        }
        nq_text_append_char(&sql, ')');
        free(words);
    }
    nq_text_append_char(&sql, ')');
    if (!session->is_quiet) {
        fprintf(stderr, "%s;\n", nq_text_string(&sql));
    }
    bool was_quiet = session->is_quiet;
    session->is_quiet = true;
    int exit_code = nq_session_run(session, nq_text_string(&sql), sql.bytes);
    session->is_quiet = was_quiet;
    nq_text_deinit(&sql);
    return exit_code;
}
