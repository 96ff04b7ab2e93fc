/* Reflection: answers a stream of questions about the descriptor set, one message each. v1 and
 * v1alpha differ in nothing but their names, so one handler serves both.
 *
 * A file is answered together with everything it imports, so that a client needs one question per
 * file it cares about; descriptors are copied from the embedded set byte for byte. */
#include "server/rpc/reflection.h"

#include "engine/ground/base/heap.h"
#include "server/rpc/descriptor_internal.h"
#include "server/rpc/protobuf_internal.h"

enum { FILES_MAX = 256, REQUEST_BYTES_MAX = 8192 };

typedef struct service_name {
    struct service_name *next;
    size_t bytes;
    char text[];
} service_name;

struct nq_reflection {
    nq_descriptor_index index;
    service_name *services;
};

/* The oneof of ServerReflectionRequest, by field number. */
typedef enum question_kind {
    FILE_BY_FILENAME = 3,
    FILE_CONTAINING_SYMBOL = 4,
    FILE_CONTAINING_EXTENSION = 5,
    ALL_EXTENSION_NUMBERS = 6,
    LIST_SERVICES = 7,
} question_kind;

typedef struct question {
    nq_bytes request; /* as it came: answers repeat it */
    nq_bytes host;
    uint32_t kind; /* 0: none */
    nq_bytes content;
} question;

/* ---- The service ---- */

nq_status nq_reflection_create(nq_ctx *ctx, nq_bytes descriptor_set, nq_reflection **out) {
    *out = NULL;
    nq_reflection *reflection = nq_heap_calloc(1, sizeof(*reflection));
    if (reflection == NULL) {
        return nq_fail_no_memory(ctx, "the reflection service");
    }
    nq_status status = nq__descriptor_index_init(ctx, &reflection->index, descriptor_set);
    if (status == NQ_OK && reflection->index.file_count > FILES_MAX) {
        nq__descriptor_index_deinit(&reflection->index);
        status = nq_fail(ctx, NQ_LIMIT_EXCEEDED, "reflection serves at most %d files", FILES_MAX);
    }
    if (status != NQ_OK) {
        nq_heap_free(reflection);
        return status;
    }
    *out = reflection;
    return NQ_OK;
}

void nq_reflection_destroy(nq_reflection *reflection) {
    if (reflection == NULL) {
        return;
    }
    while (reflection->services != NULL) {
        service_name *next = reflection->services->next;
        nq_heap_free(reflection->services);
        reflection->services = next;
    }
    nq__descriptor_index_deinit(&reflection->index);
    nq_heap_free(reflection);
}

bool nq_reflection_add_service(nq_reflection *reflection, const char *name) {
    size_t bytes = strlen(name);
    service_name **at = &reflection->services;
    while (*at != NULL) {
        nq_bytes known = nq_bytes_of((*at)->text, (*at)->bytes);
        int order = nq_bytes_compare(known, nq_bytes_of(name, bytes));
        if (order == 0) {
            return true;
        }
        if (order > 0) {
            break;
        }
        at = &(*at)->next;
    }
    service_name *added = nq_heap_alloc(sizeof(*added) + bytes);
    if (added == NULL) {
        return false;
    }
    added->bytes = bytes;
    memcpy(added->text, name, bytes);
    added->next = *at;
    *at = added;
    return true;
}

/* ---- Answers: ServerReflectionResponse { valid_host = 1, original_request = 2, oneof … } ---- */

static nq_payload *begin_answer(const question *asked, uint32_t kind, size_t content_bytes,
                                uint8_t **out_content) {
    size_t bytes = nq_pb_field_bytes(asked->host.size) + nq_pb_field_bytes(asked->request.size) +
                   nq_pb_field_bytes(content_bytes);
    nq_payload *payload = nq_payload_create(bytes);
    *out_content = NULL;
    if (payload != NULL) {
        uint8_t *to = nq_payload_room(payload);
        to = nq_pb_write_bytes(to, 1, asked->host);
        to = nq_pb_write_bytes(to, 2, asked->request);
        *out_content = nq_pb_write_head(to, kind, content_bytes);
    }
    return payload;
}

static nq_payload *end_answer(nq_payload *payload, const uint8_t *end) {
    if (payload == NULL) {
        return NULL;
    }
    return nq_payload_seal(payload, (size_t)(end - nq_payload_room(payload)));
}

/* ErrorResponse { int32 error_code = 1; string error_message = 2; } */
static nq_payload *answer_error(const question *asked, nq_rpc_code code, const char *text) {
    nq_bytes words = nq_bytes_of_cstr(text);
    uint8_t *to = NULL;
    nq_payload *payload = begin_answer(asked, 7, 2 + nq_pb_field_bytes(words.size), &to);
    if (payload != NULL) {
        to = nq_pb_write_number(to, 1, code);
        to = nq_pb_write_bytes(to, 2, words);
    }
    return end_answer(payload, to);
}

/* Marks `file` and what it imports, directly or not (dependency = 3). */
static void mark_imports(const nq_descriptor_index *index, uint32_t file, bool *marks) {
    nq_pb_field field;
    bool is_malformed = false;
    nq_bytes bytes = index->files[file].bytes;
    marks[file] = true;
    while (nq_pb_next(&bytes, &field, &is_malformed)) {
        if (field.id == 3 && field.is_bytes) {
            uint32_t imported = nq__descriptor_find_file(index, field.bytes);
            if (imported != UINT32_MAX && !marks[imported]) {
                mark_imports(index, imported, marks);
            }
        }
    }
}

/* FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; } */
static nq_payload *answer_file(const nq_reflection *reflection, const question *asked,
                               uint32_t file) {
    const nq_descriptor_index *index = &reflection->index;
    bool marks[FILES_MAX] = {false};
    size_t bytes = 0;
    uint8_t *to = NULL;
    if (file == UINT32_MAX) {
        return answer_error(asked, NQ_RPC_NOT_FOUND, "not found");
    }
    mark_imports(index, file, marks);
    for (uint32_t i = 0; i < index->file_count; i++) {
        bytes += marks[i] ? nq_pb_field_bytes(index->files[i].bytes.size) : 0;
    }
    nq_payload *payload = begin_answer(asked, 4, bytes, &to);
    if (payload != NULL) {
        /* The file asked for comes first: clients take it for the answer. */
        to = nq_pb_write_bytes(to, 1, index->files[file].bytes);
        marks[file] = false;
        for (uint32_t i = 0; i < index->file_count; i++) {
            if (marks[i]) {
                to = nq_pb_write_bytes(to, 1, index->files[i].bytes);
            }
        }
    }
    return end_answer(payload, to);
}

/* ListServiceResponse { repeated ServiceResponse { string name = 1; } service = 1; } */
static nq_payload *answer_list(const nq_reflection *reflection, const question *asked) {
    size_t bytes = 0;
    uint8_t *to = NULL;
    for (const service_name *one = reflection->services; one != NULL; one = one->next) {
        bytes += nq_pb_field_bytes(nq_pb_field_bytes(one->bytes));
    }
    nq_payload *payload = begin_answer(asked, 6, bytes, &to);
    for (const service_name *one = reflection->services; to != NULL && one != NULL;
         one = one->next) {
        to = nq_pb_write_head(to, 1, nq_pb_field_bytes(one->bytes));
        to = nq_pb_write_bytes(to, 1, nq_bytes_of(one->text, one->bytes));
    }
    return end_answer(payload, to);
}

/* ExtensionRequest { string containing_type = 1; int32 extension_number = 2; } */
static nq_payload *answer_extension(const nq_reflection *reflection, const question *asked) {
    nq_pb_field field;
    bool is_malformed = false;
    nq_bytes content = asked->content, extended = {0};
    uint64_t number = 0;
    while (nq_pb_next(&content, &field, &is_malformed)) {
        if (field.id == 1 && field.is_bytes) {
            extended = field.bytes;
        } else if (field.id == 2 && !field.is_bytes) {
            number = field.number;
        }
    }
    if (is_malformed) {
        return answer_error(asked, NQ_RPC_INVALID_ARGUMENT, "malformed ExtensionRequest");
    }
    return answer_file(reflection, asked,
                       nq__descriptor_find_extension(&reflection->index, extended, number));
}

/* ExtensionNumberResponse { string base_type_name = 1; repeated int32 extension_number = 2; } */
static nq_payload *answer_extension_numbers(const nq_reflection *reflection,
                                            const question *asked) {
    const nq_descriptor_index *index = &reflection->index;
    size_t packed_bytes = 0;
    uint8_t *to = NULL;
    if (nq__descriptor_find_symbol(index, asked->content) == UINT32_MAX) {
        return answer_error(asked, NQ_RPC_NOT_FOUND, "no such type");
    }
    for (uint32_t i = 0; i < index->extension_count; i++) {
        if (nq_bytes_equal(index->extensions[i].extended, asked->content)) {
            packed_bytes += nq_pb_varint_bytes(index->extensions[i].number);
        }
    }
    size_t bytes = nq_pb_field_bytes(asked->content.size) + nq_pb_field_bytes(packed_bytes);
    nq_payload *payload = begin_answer(asked, 5, bytes, &to);
    if (payload != NULL) {
        to = nq_pb_write_bytes(to, 1, asked->content);
        to = nq_pb_write_head(to, 2, packed_bytes);
        for (uint32_t i = 0; i < index->extension_count; i++) {
            if (nq_bytes_equal(index->extensions[i].extended, asked->content)) {
                to = nq_pb_write_varint(to, index->extensions[i].number);
            }
        }
    }
    return end_answer(payload, to);
}

static nq_payload *answer(const nq_reflection *reflection, const question *asked) {
    const nq_descriptor_index *index = &reflection->index;
    switch (asked->kind) {
    case FILE_BY_FILENAME:
        return answer_file(reflection, asked, nq__descriptor_find_file(index, asked->content));
    case FILE_CONTAINING_SYMBOL:
        return answer_file(reflection, asked, nq__descriptor_find_symbol(index, asked->content));
    case FILE_CONTAINING_EXTENSION:
        return answer_extension(reflection, asked);
    case ALL_EXTENSION_NUMBERS:
        return answer_extension_numbers(reflection, asked);
    case LIST_SERVICES:
        return answer_list(reflection, asked);
    default:
        return answer_error(asked, NQ_RPC_INVALID_ARGUMENT, "the request asks nothing");
    }
}

/* ---- The handler ---- */

static bool read_question(nq_bytes message, question *out) {
    nq_pb_field field;
    bool is_malformed = false;
    *out = (question){.request = message};
    while (nq_pb_next(&message, &field, &is_malformed)) {
        if (field.id == 1 && field.is_bytes) {
            out->host = field.bytes;
        } else if (field.id >= FILE_BY_FILENAME && field.id <= LIST_SERVICES && field.is_bytes) {
            out->kind = field.id;
            out->content = field.bytes;
        }
    }
    return !is_malformed;
}

static void reflect_on_open(nq_call *call) {
    nq_call_want_message(call);
}

static void reflect_on_message(nq_call *call, nq_bytes message) {
    question asked;
    if (!read_question(message, &asked)) {
        nq_call_finish(call, NQ_RPC_INVALID_ARGUMENT, "malformed ServerReflectionRequest",
                       (nq_bytes){0});
        return;
    }
    (void)nq_call_write(call, answer(nq_call_service(call), &asked), false);
}

static void reflect_on_writable(nq_call *call) {
    nq_call_want_message(call);
}

static void reflect_on_half_close(nq_call *call) {
    nq_call_finish(call, NQ_RPC_OK, "", (nq_bytes){0});
}

static const nq_method_handler reflect_handler = {
    .on_open = reflect_on_open,
    .on_message = reflect_on_message,
    .on_half_close = reflect_on_half_close,
    .on_writable = reflect_on_writable,
};

const nq_method nq_reflection_methods[] = {
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", NQ_METHOD_BIDI, NQ_METHOD_INLINE,
     &reflect_handler, REQUEST_BYTES_MAX},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", NQ_METHOD_BIDI,
     NQ_METHOD_INLINE, &reflect_handler, REQUEST_BYTES_MAX},
};
const size_t nq_reflection_method_count =
    sizeof(nq_reflection_methods) / sizeof(nq_reflection_methods[0]);
