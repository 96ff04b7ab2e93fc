/* Names: ListTables and GetTable, remembered. */
#include "sdk/cli/names.h"

#include <stdlib.h>
#include <string.h>

#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/c/rpc.h"
#include "sdk/cli/text.h"

#define QUERY "/neuroquantum.v1.QueryService/"

enum {
    PAGE_TABLES = 1000,
    PAGES_MAX = 10,
    WAIT_MS = 1000, /* a key was pressed and somebody waits */
};

/* NULL: the server did not answer. */
static ProtobufCMessage *ask(nq_names *names, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *response) {
    ProtobufCMessage *message = NULL;
    nq_failure failure;
    if (names->client == NULL) {
        return NULL;
    }
    nq_code code =
        nq_client_call_unary(names->client, method, request, response, WAIT_MS, &message, &failure);
    return code == NQ_CODE_OK ? message : NULL;
}

const nq_words *nq_names_tables(nq_names *names) {
    char *token = nq_must_copy("", 0);
    bool has_more = !names->has_tables;
    names->has_tables = true;
    for (int page = 0; page < PAGES_MAX && has_more; page++) {
        Neuroquantum__V1__ListTablesRequest request = NEUROQUANTUM__V1__LIST_TABLES_REQUEST__INIT;
        request.page_size = PAGE_TABLES;
        request.page_token = token;
        ProtobufCMessage *message = ask(names, QUERY "ListTables", &request.base,
                                        &neuroquantum__v1__list_tables_response__descriptor);
        if (message == NULL) {
            break;
        }
        const Neuroquantum__V1__ListTablesResponse *response = (void *)message;
        for (size_t i = 0; i < response->n_tables; i++) {
            nq_words_add(&names->tables, response->tables[i]->name,
                         strlen(response->tables[i]->name));
        }
        free(token);
        token = nq_must_copy(response->next_page_token, strlen(response->next_page_token));
        has_more = token[0] != '\0';
        protobuf_c_message_free_unpacked(message, NULL);
    }
    free(token);
    return &names->tables;
}

static void add_columns(nq_names *names, const char *table, nq_words *columns) {
    Neuroquantum__V1__GetTableRequest request = NEUROQUANTUM__V1__GET_TABLE_REQUEST__INIT;
    request.name = (char *)(uintptr_t)table;
    ProtobufCMessage *message = ask(names, QUERY "GetTable", &request.base,
                                    &neuroquantum__v1__get_table_response__descriptor);
    if (message == NULL) {
        return;
    }
    const Neuroquantum__V1__GetTableResponse *response = (void *)message;
    for (size_t i = 0; i < response->n_columns; i++) {
        nq_words_add(columns, response->columns[i]->name, strlen(response->columns[i]->name));
    }
    protobuf_c_message_free_unpacked(message, NULL);
}

const nq_words *nq_names_columns(nq_names *names, const char *table) {
    for (size_t i = 0; i < names->described_count; i++) {
        if (strcmp(names->described[i].table, table) == 0) {
            return &names->described[i].columns;
        }
    }
    names->described =
        nq_must_resize(names->described, (names->described_count + 1) * sizeof *names->described);
    nq_table_names *entry = &names->described[names->described_count++];
    *entry = (nq_table_names){.table = nq_must_copy(table, strlen(table))};
    add_columns(names, table, &entry->columns);
    return &entry->columns;
}

void nq_names_forget(nq_names *names) {
    for (size_t i = 0; i < names->described_count; i++) {
        free(names->described[i].table);
        nq_words_deinit(&names->described[i].columns);
    }
    free(names->described);
    nq_words_deinit(&names->tables);
    *names = (nq_names){.client = names->client};
}
