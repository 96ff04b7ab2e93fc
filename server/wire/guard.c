/* Guard: the walk. One loop over fields, an explicit stack of open messages, no recursion.
 *
 * Paths for people are not kept while walking: when something is wrong, the open frames are scanned
 * again to number the repeated fields, so that the good path pays nothing for them. */
#include "server/wire/guard_internal.h"

#include <stdio.h>

#include "engine/ground/base/utf8.h"

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_FIXED32 = 5,
    VARINT_BYTES_MAX = 10,
    ALLOCATION_OVERHEAD_BYTES = 16, /* the arena's rounding */
    /* The unpacker lists a message's fields: the first few on its stack, then in slabs that double.
     */
    LISTED_FIELDS_FREE = 16,
    LISTED_FIELD_BYTES = 80,
    /* The singular messages seen are one bit each. */
    FIELD_COUNT_MAX = 64,
    PATH_BYTES = NQ_ERROR_OBJECT_BYTES,
};

/* One message that is being walked. */
typedef struct guard_frame {
    const ProtobufCMessageDescriptor *descriptor;
    const uint8_t *start;
    const uint8_t *end;
    const uint8_t *field_start;            /* the tag of the field being walked */
    const ProtobufCFieldDescriptor *field; /* that field; NULL: unknown to us */
    uint64_t seen;                         /* singular message fields met, by index */
    size_t field_count;
} guard_frame;

typedef struct guard_walk {
    nq_ctx *ctx;
    guard_frame frames[NQ_GUARD_DEPTH_MAX];
    uint32_t depth;
    size_t memory_bytes;
    size_t memory_bytes_max;
} guard_walk;

static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *out_value) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < VARINT_BYTES_MAX && at < end; i++) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out_value = value;
            /* The tenth byte has room for one bit. */
            return i == VARINT_BYTES_MAX - 1 && byte > 1 ? NULL : at;
        }
    }
    return NULL;
}

/* The first byte after a value, or NULL when it is truncated or of a wire type we refuse. */
static const uint8_t *skip_value(uint32_t wire_type, const uint8_t *at, const uint8_t *end) {
    uint64_t value = 0;
    switch (wire_type) {
    case WIRE_VARINT:
        return read_varint(at, end, &value);
    case WIRE_FIXED64:
        return end - at < 8 ? NULL : at + 8;
    case WIRE_FIXED32:
        return end - at < 4 ? NULL : at + 4;
    case WIRE_LENGTH:
        at = read_varint(at, end, &value);
        return at == NULL || value > (uint64_t)(end - at) ? NULL : at + value;
    default:
        return NULL;
    }
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  uint32_t id) {
    for (unsigned i = 0; i < descriptor->n_field_ranges; i++) {
        const ProtobufCIntRange *range = &descriptor->field_ranges[i];
        uint32_t first = (uint32_t)range->start_value;
        uint32_t count = range[1].orig_index - range->orig_index;
        if (id >= first && id - first < count) {
            return &descriptor->fields[range->orig_index + (id - first)];
        }
    }
    return NULL;
}

/* Which element of its repeated field the frame stands at. */
static uint32_t element_index(const guard_frame *frame) {
    uint32_t index = 0;
    const uint8_t *at = frame->start;
    while (at != NULL && at < frame->field_start) {
        uint64_t tag = 0;
        at = read_varint(at, frame->end, &tag);
        if (at == NULL) {
            break;
        }
        index += (tag >> 3) == frame->field->id;
        at = skip_value((uint32_t)(tag & 7), at, frame->end);
    }
    return index;
}

static void write_path(const guard_walk *walk, char path[PATH_BYTES]) {
    size_t used = 0;
    path[0] = '\0';
    for (uint32_t i = 0; i < walk->depth; i++) {
        const guard_frame *frame = &walk->frames[i];
        if (frame->field == NULL) {
            break;
        }
        bool is_repeated = frame->field->label == PROTOBUF_C_LABEL_REPEATED;
        int written = is_repeated
                          ? snprintf(path + used, PATH_BYTES - used, "%s%s[%u]", i == 0 ? "" : ".",
                                     frame->field->name, element_index(frame))
                          : snprintf(path + used, PATH_BYTES - used, "%s%s", i == 0 ? "" : ".",
                                     frame->field->name);
        if (written < 0 || (size_t)written >= PATH_BYTES - used) {
            return;
        }
        used += (size_t)written;
    }
}

static nq_status refuse(guard_walk *walk, nq_status code, const char *what) {
    char path[PATH_BYTES];
    write_path(walk, path);
    const char *message_name = walk->frames[0].descriptor->short_name;
    nq_status status =
        path[0] == '\0' ? nq_fail(walk->ctx, code, "%s: %s", message_name, what)
                        : nq_fail(walk->ctx, code, "field %s of %s %s", path, message_name, what);
    nq_error_set_object(&walk->ctx->error, path, strlen(path));
    return status;
}

static nq_status charge(guard_walk *walk, size_t bytes) {
    walk->memory_bytes += bytes + ALLOCATION_OVERHEAD_BYTES;
    if (walk->memory_bytes <= walk->memory_bytes_max) {
        return NQ_OK;
    }
    char what[96];
    snprintf(what, sizeof what, "takes the request over its memory limit of %zu bytes",
             walk->memory_bytes_max);
    return refuse(walk, NQ_MEMORY_LIMIT, what);
}

/* The wire type of one unpacked element of the field. */
static uint32_t wire_type_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    default:
        return WIRE_VARINT;
    }
}

/* A packed run of numbers: whole elements, each charged at its size in memory. */
static nq_status check_packed(guard_walk *walk, uint32_t element_wire_type, nq_bytes run) {
    size_t element_bytes = element_wire_type == WIRE_FIXED32 ? 4 : 8;
    if (element_wire_type != WIRE_VARINT) {
        return run.size % element_bytes == 0
                   ? charge(walk, run.size)
                   : refuse(walk, NQ_INVALID_REQUEST, "holds a packed array cut short");
    }
    size_t element_count = 0;
    const uint8_t *at = run.data, *end = run.data + run.size;
    while (at < end) {
        uint64_t value = 0;
        at = read_varint(at, end, &value);
        if (at == NULL) {
            return refuse(walk, NQ_INVALID_REQUEST, "holds a malformed packed array");
        }
        element_count++;
    }
    return charge(walk, element_count * element_bytes);
}

static nq_status open_message(guard_walk *walk, nq_bytes body) {
    guard_frame *parent = &walk->frames[walk->depth - 1];
    const ProtobufCMessageDescriptor *descriptor = parent->field->descriptor;
    if (parent->field->label != PROTOBUF_C_LABEL_REPEATED) {
        ptrdiff_t index = parent->field - parent->descriptor->fields;
        uint64_t bit = index < FIELD_COUNT_MAX ? UINT64_C(1) << index : 0;
        if ((parent->seen & bit) != 0) {
            return refuse(walk, NQ_INVALID_REQUEST, "is sent twice");
        }
        parent->seen |= bit;
    }
    NQ_TRY(charge(walk, descriptor->sizeof_message + sizeof(void *)));
    if (walk->depth == NQ_GUARD_DEPTH_MAX) {
        return refuse(walk, NQ_INVALID_REQUEST, "is nested too deeply");
    }
    walk->frames[walk->depth++] = (guard_frame){
        .descriptor = descriptor,
        .start = body.data,
        .end = body.data + body.size,
        .field_start = body.data,
    };
    return NQ_OK;
}

/* A length-delimited value of a known field. */
static nq_status check_delimited(guard_walk *walk, nq_bytes body) {
    const ProtobufCFieldDescriptor *field = walk->frames[walk->depth - 1].field;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return open_message(walk, body);
    case PROTOBUF_C_TYPE_BYTES:
        return charge(walk, body.size + sizeof(ProtobufCBinaryData));
    case PROTOBUF_C_TYPE_STRING:
        if (!nq_utf8_is_text(body)) {
            return refuse(walk, NQ_INVALID_UTF8, "is not valid UTF-8 or holds U+0000");
        }
        return charge(walk, body.size + 1 + sizeof(char *));
    default:
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            return refuse(walk, NQ_INVALID_REQUEST, "has the wrong wire type");
        }
        return check_packed(walk, wire_type_of(field->type), body);
    }
}

/* One field of the innermost message, from its tag on; moves `at` past it or into it. */
static nq_status check_field(guard_walk *walk, const uint8_t **at) {
    guard_frame *frame = &walk->frames[walk->depth - 1];
    uint64_t tag = 0;
    frame->field_start = *at;
    frame->field = NULL;
    const uint8_t *value = read_varint(*at, frame->end, &tag);
    if (value == NULL || tag < 8 || tag > UINT32_MAX) {
        return refuse(walk, NQ_INVALID_REQUEST, "holds a malformed field tag");
    }
    uint32_t wire_type = (uint32_t)(tag & 7);
    frame->field = find_field(frame->descriptor, (uint32_t)(tag >> 3));
    const uint8_t *next = skip_value(wire_type, value, frame->end);
    if (next == NULL) {
        return refuse(walk, NQ_INVALID_REQUEST, "is cut short or malformed");
    }
    *at = next;
    if (++frame->field_count > LISTED_FIELDS_FREE) {
        NQ_TRY(charge(walk, LISTED_FIELD_BYTES));
    }
    if (frame->field == NULL) {
        return charge(walk, (size_t)(next - value) + sizeof(ProtobufCMessageUnknownField));
    }
    if (wire_type == WIRE_LENGTH) {
        uint64_t body_bytes = 0;
        const uint8_t *body = read_varint(value, frame->end, &body_bytes);
        uint32_t depth = walk->depth;
        NQ_TRY(check_delimited(walk, nq_bytes_of(body, (size_t)body_bytes)));
        if (walk->depth > depth) {
            *at = body;
        }
        return NQ_OK;
    }
    if (wire_type != wire_type_of(frame->field->type)) {
        return refuse(walk, NQ_INVALID_REQUEST, "has the wrong wire type");
    }
    return charge(walk, sizeof(uint64_t));
}

nq_status nq__guard_check(nq_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                          nq_bytes message, size_t memory_bytes_max, size_t *out_memory_bytes) {
    *out_memory_bytes = 0;
    guard_walk walk;
    walk.ctx = ctx;
    walk.depth = 1;
    walk.memory_bytes = descriptor->sizeof_message + ALLOCATION_OVERHEAD_BYTES;
    walk.memory_bytes_max = memory_bytes_max;
    walk.frames[0] = (guard_frame){
        .descriptor = descriptor,
        .start = message.data,
        .end = message.data + message.size,
        .field_start = message.data,
    };
    const uint8_t *at = message.data;
    while (walk.depth > 0) {
        /* Invariant: `at` lies in the innermost message, whose frame is on top. */
        if (at == walk.frames[walk.depth - 1].end) {
            walk.depth--;
            continue;
        }
        NQ_TRY(check_field(&walk, &at));
    }
    *out_memory_bytes = walk.memory_bytes;
    return NQ_OK;
}
