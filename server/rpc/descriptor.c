/* Descriptors: two walks over google.protobuf.FileDescriptorSet, one to count and one to fill, so
 * that the arrays have their size from the start. Field numbers are those of descriptor.proto. */
#include "server/rpc/descriptor_internal.h"

#include <stdlib.h>

#include "server/rpc/protobuf_internal.h"

enum { NESTING_MAX = 32, INDEX_BYTES_MAX = 16 << 20 };

typedef struct walk {
    nq_ctx *ctx;
    nq_descriptor_index *index;
    bool is_filling; /* the second walk */
    uint32_t file;
} walk;

static nq_status malformed(walk *self) {
    return nq_fail(self->ctx, NQ_INVALID_REQUEST, "malformed FileDescriptorSet");
}

/* The bytes of the first field `id`, or nothing. */
static nq_bytes text_field(nq_bytes message, uint32_t id) {
    nq_pb_field field;
    bool is_malformed = false;
    while (nq_pb_next(&message, &field, &is_malformed)) {
        if (field.id == id && field.is_bytes) {
            return field.bytes;
        }
    }
    return (nq_bytes){0};
}

static uint64_t number_field(nq_bytes message, uint32_t id) {
    nq_pb_field field;
    bool is_malformed = false;
    while (nq_pb_next(&message, &field, &is_malformed)) {
        if (field.id == id && !field.is_bytes) {
            return field.number;
        }
    }
    return 0;
}

/* `scope.name`, or `name` when the scope is empty. */
static nq_status join(walk *self, nq_bytes scope, nq_bytes name, nq_bytes *out_full) {
    size_t dot = scope.size > 0 ? 1 : 0;
    uint8_t *room = nq_arena_alloc(&self->index->arena, scope.size + dot + name.size);
    if (room == NULL) {
        return nq_fail_no_memory(self->ctx, "the descriptor index");
    }
    *out_full = nq_bytes_of(room, scope.size + dot + name.size);
    if (dot == 1) {
        memcpy(room, scope.data, scope.size);
        room[scope.size] = '.';
    }
    if (name.size > 0) {
        memcpy(room + scope.size + dot, name.data, name.size);
    }
    return NQ_OK;
}

/* Enters what `declaration` (any descriptor: its name is field 1) declares inside `scope`. */
static nq_status add_symbol(walk *self, nq_bytes scope, nq_bytes declaration, nq_bytes *out_full) {
    nq_bytes name = text_field(declaration, 1);
    *out_full = (nq_bytes){0};
    if (name.size == 0) {
        return malformed(self);
    }
    uint32_t slot = self->index->symbol_count++;
    if (!self->is_filling) {
        return NQ_OK;
    }
    NQ_TRY(join(self, scope, name, out_full));
    self->index->symbols[slot] = (nq_descriptor_symbol){*out_full, self->file};
    return NQ_OK;
}

/* Every field `id` of `parent` is a declaration without anything inside that we index. */
static nq_status add_leaves(walk *self, nq_bytes scope, nq_bytes parent, uint32_t id) {
    nq_pb_field field;
    bool is_malformed = false;
    nq_bytes full;
    while (nq_pb_next(&parent, &field, &is_malformed)) {
        if (field.id == id && field.is_bytes) {
            NQ_TRY(add_symbol(self, scope, field.bytes, &full));
        }
    }
    return is_malformed ? malformed(self) : NQ_OK;
}

static nq_status add_extension(walk *self, nq_bytes scope, nq_bytes declaration) {
    nq_bytes full, extended = text_field(declaration, 2);
    NQ_TRY(add_symbol(self, scope, declaration, &full));
    if (extended.size > 0 && extended.data[0] == '.') {
        extended = nq_bytes_of(extended.data + 1, extended.size - 1);
    }
    uint32_t slot = self->index->extension_count++;
    if (self->is_filling) {
        self->index->extensions[slot] =
            (nq_descriptor_extension){extended, (uint32_t)number_field(declaration, 3), self->file};
    }
    return NQ_OK;
}

static nq_status add_enum(walk *self, nq_bytes scope, nq_bytes declaration) {
    nq_bytes full;
    NQ_TRY(add_symbol(self, scope, declaration, &full));
    /* Values live in the scope of their enum, not inside it: protobuf follows C++ here. */
    return add_leaves(self, scope, declaration, 2);
}

static nq_status add_message(walk *self, nq_bytes scope, nq_bytes declaration, int depth) {
    nq_pb_field field;
    bool is_malformed = false;
    nq_bytes full;
    if (depth > NESTING_MAX) {
        return malformed(self);
    }
    NQ_TRY(add_symbol(self, scope, declaration, &full));
    NQ_TRY(add_leaves(self, full, declaration, 2)); /* fields */
    NQ_TRY(add_leaves(self, full, declaration, 8)); /* oneofs */
    while (nq_pb_next(&declaration, &field, &is_malformed)) {
        if (field.id == 3 && field.is_bytes) {
            NQ_TRY(add_message(self, full, field.bytes, depth + 1));
        } else if (field.id == 4 && field.is_bytes) {
            NQ_TRY(add_enum(self, full, field.bytes));
        } else if (field.id == 6 && field.is_bytes) {
            NQ_TRY(add_extension(self, full, field.bytes));
        }
    }
    return is_malformed ? malformed(self) : NQ_OK;
}

static nq_status add_file(walk *self, nq_bytes file) {
    nq_pb_field field;
    bool is_malformed = false;
    nq_bytes full, package = text_field(file, 2);
    self->file = self->index->file_count++;
    if (self->is_filling) {
        self->index->files[self->file] = (nq_descriptor_file){text_field(file, 1), file};
    }
    while (nq_pb_next(&file, &field, &is_malformed)) {
        if (!field.is_bytes) {
            continue;
        }
        if (field.id == 4) {
            NQ_TRY(add_message(self, package, field.bytes, 1));
        } else if (field.id == 5) {
            NQ_TRY(add_enum(self, package, field.bytes));
        } else if (field.id == 6) {
            NQ_TRY(add_symbol(self, package, field.bytes, &full));
            NQ_TRY(add_leaves(self, full, field.bytes, 2));
        } else if (field.id == 7) {
            NQ_TRY(add_extension(self, package, field.bytes));
        }
    }
    return is_malformed ? malformed(self) : NQ_OK;
}

static nq_status walk_set(walk *self, nq_bytes descriptor_set) {
    nq_pb_field field;
    bool is_malformed = false;
    self->index->file_count = 0;
    self->index->symbol_count = 0;
    self->index->extension_count = 0;
    while (nq_pb_next(&descriptor_set, &field, &is_malformed)) {
        if (field.id == 1 && field.is_bytes) {
            NQ_TRY(add_file(self, field.bytes));
        }
    }
    return is_malformed ? malformed(self) : NQ_OK;
}

static int compare_symbols(const void *left, const void *right) {
    return nq_bytes_compare(((const nq_descriptor_symbol *)left)->name,
                            ((const nq_descriptor_symbol *)right)->name);
}

static int compare_extensions(const void *left, const void *right) {
    const nq_descriptor_extension *one = left, *other = right;
    int order = nq_bytes_compare(one->extended, other->extended);
    return order != 0 ? order : (one->number > other->number) - (one->number < other->number);
}

nq_status nq__descriptor_index_init(nq_ctx *ctx, nq_descriptor_index *index,
                                    nq_bytes descriptor_set) {
    *index = (nq_descriptor_index){0};
    nq_arena_init(&index->arena, INDEX_BYTES_MAX);
    walk self = {.ctx = ctx, .index = index};
    nq_status status = NQ_OK;
    NQ_CHECK(walk_set(&self, descriptor_set));
    index->files = nq_arena_calloc(&index->arena, index->file_count, sizeof(*index->files));
    index->symbols = nq_arena_calloc(&index->arena, index->symbol_count, sizeof(*index->symbols));
    index->extensions =
        nq_arena_calloc(&index->arena, index->extension_count, sizeof(*index->extensions));
    if (index->files == NULL || index->symbols == NULL || index->extensions == NULL) {
        status = nq_fail_no_memory(ctx, "the descriptor index");
        goto done;
    }
    self.is_filling = true;
    NQ_CHECK(walk_set(&self, descriptor_set));
    qsort(index->symbols, index->symbol_count, sizeof(*index->symbols), compare_symbols);
    qsort(index->extensions, index->extension_count, sizeof(*index->extensions),
          compare_extensions);
done:
    if (status != NQ_OK) {
        nq__descriptor_index_deinit(index);
    }
    return status;
}

void nq__descriptor_index_deinit(nq_descriptor_index *index) {
    nq_arena_deinit(&index->arena);
    *index = (nq_descriptor_index){0};
}

uint32_t nq__descriptor_find_file(const nq_descriptor_index *index, nq_bytes name) {
    for (uint32_t i = 0; i < index->file_count; i++) {
        if (nq_bytes_equal(index->files[i].name, name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint32_t nq__descriptor_find_symbol(const nq_descriptor_index *index, nq_bytes name) {
    if (index->symbol_count == 0) {
        return UINT32_MAX;
    }
    nq_descriptor_symbol wanted = {.name = name};
    const nq_descriptor_symbol *found =
        bsearch(&wanted, index->symbols, index->symbol_count, sizeof(wanted), compare_symbols);
    return found != NULL ? found->file : UINT32_MAX;
}

uint32_t nq__descriptor_find_extension(const nq_descriptor_index *index, nq_bytes extended,
                                       uint64_t number) {
    if (index->extension_count == 0 || number > UINT32_MAX) {
        return UINT32_MAX;
    }
    nq_descriptor_extension wanted = {.extended = extended, .number = (uint32_t)number};
    const nq_descriptor_extension *found = bsearch(
        &wanted, index->extensions, index->extension_count, sizeof(wanted), compare_extensions);
    return found != NULL ? found->file : UINT32_MAX;
}
