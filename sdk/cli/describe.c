/* Describe: unary calls whose answers are shown as tables. */
#include "sdk/cli/describe.h"

#include <stdlib.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "neuroquantum/v1/admin.pb-c.h"
#include "neuroquantum/v1/pubsub.pb-c.h"
#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/c/rpc.h"
#include "sdk/cli/literal.h"

#define ADMIN  "/neuroquantum.v1.AdminService/"
#define PUBSUB "/neuroquantum.v1.PubSubService/"
#define QUERY  "/neuroquantum.v1.QueryService/"

enum { COLUMNS_MAX = 8 };

/* A table made here: its columns, and datums filled in one row at a time. */
typedef struct sheet {
    nq_column columns[COLUMNS_MAX];
    nq_datum row[COLUMNS_MAX];
    size_t count;
    nq_printer *printer;
} sheet;

static void open_sheet(sheet *s, nq_session *session, const nq_column *columns, size_t count) {
    memcpy(s->columns, columns, count * sizeof *columns);
    s->count = count;
    s->printer = nq_printer_create(session->output, &session->print, s->columns, count);
    memset(s->row, 0, sizeof s->row);
}

static void set_text(sheet *s, size_t column, const char *text) {
    s->row[column] = (nq_datum){.type = NQ_DATA_TEXT, .text = text, .text_bytes = strlen(text)};
}

static void set_count(sheet *s, size_t column, uint64_t count) {
    s->row[column] = (nq_datum){.type = NQ_DATA_INT64, .integer = (int64_t)count};
}

static void set_number(sheet *s, size_t column, double number) {
    s->row[column] = (nq_datum){.type = NQ_DATA_FLOAT64, .number = number};
}

static void set_time(sheet *s, size_t column, const Google__Protobuf__Timestamp *time) {
    s->row[column] = (nq_datum){.type = NQ_DATA_TIMESTAMP, .is_null = time == NULL};
    if (time != NULL) {
        s->row[column].integer = time->seconds * 1000000 + time->nanos / 1000;
    }
}

static double seconds_of(const Google__Protobuf__Duration *duration) {
    return duration == NULL ? 0 : (double)duration->seconds + (double)duration->nanos / 1e9;
}

static int close_sheet(sheet *s) {
    bool good = nq_printer_finish(s->printer, true);
    nq_printer_destroy(s->printer);
    return good ? NQ_EXIT_OK : NQ_EXIT_LOCAL;
}

/* "sensor*" as LIKE wants it. */
static char *like_pattern(const char *pattern) {
    char *copy =
        nq_must_copy(pattern != NULL ? pattern : "", pattern != NULL ? strlen(pattern) : 0);
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '*' ? '%' : *c == '?' ? '_' : *c;
    }
    return copy;
}

/* Keeps the token of the page just shown for the next request; false: it was the last page. */
static bool keep_token(char **io_token, const char *next) {
    free(*io_token);
    *io_token = nq_must_copy(next, strlen(next));
    return next[0] != '\0';
}

/* ---- Tables ---- */

int nq_describe_tables(nq_session *session, const char *pattern) {
    static const nq_column columns[] = {{.name = "Table", .type = NQ_DATA_TEXT},
                                        {.name = "Rows (about)", .type = NQ_DATA_INT64},
                                        {.name = "Bytes", .type = NQ_DATA_INT64},
                                        {.name = "Created (UTC)", .type = NQ_DATA_TIMESTAMP}};
    char *like = like_pattern(pattern);
    char *token = nq_must_copy("", 0);
    sheet s;
    open_sheet(&s, session, columns, 4);
    int exit_code;
    bool more = true;
    do {
        Neuroquantum__V1__ListTablesRequest request = NEUROQUANTUM__V1__LIST_TABLES_REQUEST__INIT;
        ProtobufCMessage *message;
        request.page_size = 1000;
        request.page_token = token;
        request.name_pattern = like;
        exit_code = nq_session_call(session, QUERY "ListTables", &request.base,
                                    &neuroquantum__v1__list_tables_response__descriptor, &message);
        if (exit_code != NQ_EXIT_OK) {
            break;
        }
        const Neuroquantum__V1__ListTablesResponse *response = (void *)message;
        for (size_t i = 0; i < response->n_tables; i++) {
            const Neuroquantum__V1__TableInfo *table = response->tables[i];
            set_text(&s, 0, table->name);
            set_count(&s, 1, table->row_estimate);
            set_count(&s, 2, table->bytes);
            set_time(&s, 3, table->create_time);
            nq_printer_row(s.printer, s.row);
        }
        more = keep_token(&token, response->next_page_token);
        protobuf_c_message_free_unpacked(message, NULL);
    } while (more);
    if (exit_code == NQ_EXIT_OK) {
        exit_code = close_sheet(&s);
    } else {
        nq_printer_destroy(s.printer);
    }
    free(token);
    free(like);
    return exit_code;
}

static void append_type(nq_text *text, const Neuroquantum__V1__Type *type) {
    if (type->data_type == NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TEXT && type->precision != 0) {
        nq_text_append_format(text, "%s(%u)",
                              type->blank_padded ? "character" : "character varying",
                              (unsigned)type->precision);
    } else {
        nq_text_append_string(text, nq_data_type_sql((nq_data_type)type->data_type));
    }
}

static void print_columns(nq_session *session, const Neuroquantum__V1__GetTableResponse *table) {
    static const nq_column columns[] = {{.name = "Column", .type = NQ_DATA_TEXT},
                                        {.name = "Type", .type = NQ_DATA_TEXT},
                                        {.name = "Nullable", .type = NQ_DATA_TEXT},
                                        {.name = "Default", .type = NQ_DATA_TEXT}};
    sheet s;
    nq_print_options saved = session->print;
    session->print.no_footer = true;
    open_sheet(&s, session, columns, 4);
    session->print = saved;
    nq_text type = {0};
    for (size_t i = 0; i < table->n_columns; i++) {
        const Neuroquantum__V1__ColumnMeta *column = table->columns[i];
        nq_text_clear(&type);
        if (column->type != NULL) {
            append_type(&type, column->type);
        }
        set_text(&s, 0, column->name);
        set_text(&s, 1, nq_text_string(&type));
        set_text(&s, 2, column->type != NULL && column->type->not_null ? "not null" : "");
        set_text(&s, 3,
                 column->default_sql[0] != '\0' ? column->default_sql
                 : column->auto_increment       ? "(generated)"
                                                : "");
        nq_printer_row(s.printer, s.row);
    }
    close_sheet(&s);
    nq_text_deinit(&type);
}

static void print_indexes(FILE *output, const Neuroquantum__V1__GetTableResponse *table) {
    if (table->n_indexes != 0) {
        fputs("Indexes:\n", output);
    }
    for (size_t i = 0; i < table->n_indexes; i++) {
        const Neuroquantum__V1__IndexInfo *index = table->indexes[i];
        fprintf(output, "    \"%s\" %s%s (", index->name,
                index->primary  ? "PRIMARY KEY, "
                : index->unique ? "UNIQUE, "
                                : "",
                index->method);
        for (size_t j = 0; j < index->n_columns; j++) {
            fprintf(output, "%s%s", j > 0 ? ", " : "", index->columns[j]);
        }
        fputs(")\n", output);
    }
    if (table->n_constraints != 0) {
        fputs("Constraints:\n", output);
    }
    for (size_t i = 0; i < table->n_constraints; i++) {
        fprintf(output, "    %s\n", table->constraints[i]);
    }
}

int nq_describe_table(nq_session *session, const char *name) {
    Neuroquantum__V1__GetTableRequest request = NEUROQUANTUM__V1__GET_TABLE_REQUEST__INIT;
    ProtobufCMessage *message;
    request.name = (char *)(uintptr_t)name;
    int exit_code = nq_session_call(session, QUERY "GetTable", &request.base,
                                    &neuroquantum__v1__get_table_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__GetTableResponse *table = (void *)message;
    bool for_people = session->print.format == NQ_OUTPUT_TABLE;
    if (for_people) {
        fprintf(session->output, "Table \"%s\"\n", name);
    }
    print_columns(session, table);
    if (for_people) {
        print_indexes(session->output, table);
        fflush(session->output);
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return NQ_EXIT_OK;
}

/* ---- The server ---- */

int nq_describe_server(nq_session *session) {
    static const nq_column columns[] = {{.name = "Property", .type = NQ_DATA_TEXT},
                                        {.name = "Value", .type = NQ_DATA_TEXT}};
    Neuroquantum__V1__GetServerInfoRequest request =
        NEUROQUANTUM__V1__GET_SERVER_INFO_REQUEST__INIT;
    ProtobufCMessage *message;
    int exit_code =
        nq_session_call(session, ADMIN "GetServerInfo", &request.base,
                        &neuroquantum__v1__get_server_info_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__GetServerInfoResponse *info = (void *)message;
    const char *pairs[][2] = {{"address", nq_client_target(session->client)},
                              {"version", info->version},
                              {"build", info->build},
                              {"platform", info->platform},
                              {"server id", info->server_id}};
    sheet s;
    open_sheet(&s, session, columns, 2);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        set_text(&s, 0, pairs[i][0]);
        set_text(&s, 1, pairs[i][1]);
        nq_printer_row(s.printer, s.row);
    }
    nq_text value = {0};
    for (size_t i = 0; i < info->n_limits; i++) {
        nq_text_clear(&value);
        nq_text_append_format(&value, "%llu", (unsigned long long)info->limits[i]->value);
        set_text(&s, 0, info->limits[i]->key);
        set_text(&s, 1, nq_text_string(&value));
        nq_printer_row(s.printer, s.row);
    }
    nq_text_deinit(&value);
    exit_code = close_sheet(&s);
    protobuf_c_message_free_unpacked(message, NULL);
    return exit_code;
}

static void append_labels(nq_text *text, const Neuroquantum__V1__Metric *metric) {
    for (size_t i = 0; i < metric->n_labels; i++) {
        nq_text_append_format(text, "%s%s=%s", i > 0 ? " " : "", metric->labels[i]->key,
                              metric->labels[i]->value);
    }
}

int nq_describe_stats(nq_session *session, const char *pattern) {
    static const nq_column columns[] = {{.name = "Name", .type = NQ_DATA_TEXT},
                                        {.name = "Labels", .type = NQ_DATA_TEXT},
                                        {.name = "Value", .type = NQ_DATA_FLOAT64}};
    Neuroquantum__V1__GetStatsRequest request = NEUROQUANTUM__V1__GET_STATS_REQUEST__INIT;
    ProtobufCMessage *message;
    char *like = like_pattern(pattern);
    request.name_patterns = &like;
    request.n_name_patterns = pattern != NULL ? 1 : 0;
    int exit_code = nq_session_call(session, ADMIN "GetStats", &request.base,
                                    &neuroquantum__v1__get_stats_response__descriptor, &message);
    free(like);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__GetStatsResponse *stats = (void *)message;
    sheet s;
    nq_text labels = {0};
    open_sheet(&s, session, columns, 3);
    for (size_t i = 0; i < stats->n_metrics; i++) {
        nq_text_clear(&labels);
        append_labels(&labels, stats->metrics[i]);
        set_text(&s, 0, stats->metrics[i]->name);
        set_text(&s, 1, nq_text_string(&labels));
        set_number(&s, 2, stats->metrics[i]->value);
        nq_printer_row(s.printer, s.row);
    }
    nq_text_deinit(&labels);
    exit_code = close_sheet(&s);
    protobuf_c_message_free_unpacked(message, NULL);
    return exit_code;
}

int nq_describe_queries(nq_session *session) {
    static const nq_column columns[] = {{.name = "Query id", .type = NQ_DATA_TEXT},
                                        {.name = "State", .type = NQ_DATA_TEXT},
                                        {.name = "Started (UTC)", .type = NQ_DATA_TIMESTAMP},
                                        {.name = "Rows read", .type = NQ_DATA_INT64},
                                        {.name = "SQL", .type = NQ_DATA_TEXT}};
    Neuroquantum__V1__ListQueriesRequest request = NEUROQUANTUM__V1__LIST_QUERIES_REQUEST__INIT;
    ProtobufCMessage *message;
    request.page_size = 1000;
    int exit_code = nq_session_call(session, ADMIN "ListQueries", &request.base,
                                    &neuroquantum__v1__list_queries_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__ListQueriesResponse *list = (void *)message;
    sheet s;
    open_sheet(&s, session, columns, 5);
    for (size_t i = 0; i < list->n_queries; i++) {
        const Neuroquantum__V1__QueryInfo *query = list->queries[i];
        set_text(&s, 0, query->query_id);
        set_text(&s, 1, query->state);
        set_time(&s, 2, query->start_time);
        set_count(&s, 3, query->stats != NULL ? query->stats->rows_examined : 0);
        set_text(&s, 4, query->sql);
        nq_printer_row(s.printer, s.row);
    }
    exit_code = close_sheet(&s);
    protobuf_c_message_free_unpacked(message, NULL);
    return exit_code;
}

int nq_describe_connections(nq_session *session) {
    static const nq_column columns[] = {{.name = "Connection", .type = NQ_DATA_TEXT},
                                        {.name = "Peer", .type = NQ_DATA_TEXT},
                                        {.name = "Client", .type = NQ_DATA_TEXT},
                                        {.name = "Since (UTC)", .type = NQ_DATA_TIMESTAMP},
                                        {.name = "Idle (s)", .type = NQ_DATA_FLOAT64},
                                        {.name = "Calls", .type = NQ_DATA_INT64},
                                        {.name = "Buffered bytes", .type = NQ_DATA_INT64}};
    Neuroquantum__V1__ListConnectionsRequest request =
        NEUROQUANTUM__V1__LIST_CONNECTIONS_REQUEST__INIT;
    ProtobufCMessage *message;
    request.page_size = 1000;
    int exit_code =
        nq_session_call(session, ADMIN "ListConnections", &request.base,
                        &neuroquantum__v1__list_connections_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__ListConnectionsResponse *list = (void *)message;
    sheet s;
    open_sheet(&s, session, columns, 7);
    for (size_t i = 0; i < list->n_connections; i++) {
        const Neuroquantum__V1__ConnectionInfo *connection = list->connections[i];
        set_text(&s, 0, connection->id);
        set_text(&s, 1, connection->peer);
        set_text(&s, 2, connection->user_agent);
        set_time(&s, 3, connection->connect_time);
        set_number(&s, 4, (double)(int64_t)(seconds_of(connection->idle) * 10) / 10);
        set_count(&s, 5, connection->open_streams);
        set_count(&s, 6, connection->buffered_bytes);
        nq_printer_row(s.printer, s.row);
    }
    exit_code = close_sheet(&s);
    protobuf_c_message_free_unpacked(message, NULL);
    return exit_code;
}

int nq_describe_channels(nq_session *session, const char *pattern) {
    static const nq_column columns[] = {{.name = "Channel", .type = NQ_DATA_TEXT},
                                        {.name = "Keeps messages", .type = NQ_DATA_INT64},
                                        {.name = "Keeps bytes", .type = NQ_DATA_INT64}};
    Neuroquantum__V1__ListChannelsRequest request = NEUROQUANTUM__V1__LIST_CHANNELS_REQUEST__INIT;
    ProtobufCMessage *message;
    request.page_size = 1000;
    request.pattern = (char *)(uintptr_t)(pattern != NULL ? pattern : "");
    int exit_code =
        nq_session_call(session, PUBSUB "ListChannels", &request.base,
                        &neuroquantum__v1__list_channels_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Neuroquantum__V1__ListChannelsResponse *list = (void *)message;
    sheet s;
    open_sheet(&s, session, columns, 3);
    for (size_t i = 0; i < list->n_channels; i++) {
        set_text(&s, 0, list->channels[i]->name);
        set_count(&s, 1, list->channels[i]->history_messages);
        set_count(&s, 2, list->channels[i]->history_bytes);
        nq_printer_row(s.printer, s.row);
    }
    exit_code = close_sheet(&s);
    protobuf_c_message_free_unpacked(message, NULL);
    return exit_code;
}

int nq_describe_health(nq_session *session, const char *service) {
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    ProtobufCMessage *message;
    request.service = (char *)(uintptr_t)(service != NULL ? service : "");
    int exit_code = nq_session_call(session, "/grpc.health.v1.Health/Check", &request.base,
                                    &grpc__health__v1__health_check_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    const Grpc__Health__V1__HealthCheckResponse *response = (void *)message;
    const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(
        &grpc__health__v1__health_check_response__serving_status__descriptor, response->status);
    bool is_serving = name != NULL && strcmp(name->name, "SERVING") == 0;
    fprintf(session->output, "%s\n", name != NULL ? name->name : "UNKNOWN");
    protobuf_c_message_free_unpacked(message, NULL);
    return is_serving ? NQ_EXIT_OK : NQ_EXIT_LOCAL;
}
