/* Descriptors: an index over a serialized FileDescriptorSet: which file declares what. */
#ifndef NQ_SERVER_RPC_DESCRIPTOR_INTERNAL_H
#define NQ_SERVER_RPC_DESCRIPTOR_INTERNAL_H

#include "engine/ground/base/ctx.h"

typedef struct nq_descriptor_file {
    nq_bytes name;
    nq_bytes bytes; /* the FileDescriptorProto */
} nq_descriptor_file;

typedef struct nq_descriptor_symbol {
    nq_bytes name; /* full, without a leading dot */
    uint32_t file;
} nq_descriptor_symbol;

typedef struct nq_descriptor_extension {
    nq_bytes extended; /* full name of the extended message, without a leading dot */
    uint32_t number;
    uint32_t file;
} nq_descriptor_extension;

typedef struct nq_descriptor_index {
    nq_arena arena;
    nq_descriptor_file *files;
    nq_descriptor_symbol *symbols;       /* by name */
    nq_descriptor_extension *extensions; /* by extended, number */
    uint32_t file_count;
    uint32_t symbol_count;
    uint32_t extension_count;
} nq_descriptor_index;

/* Borrows `descriptor_set`. */
nq_status nq__descriptor_index_init(nq_ctx *ctx, nq_descriptor_index *index,
                                    nq_bytes descriptor_set);
void nq__descriptor_index_deinit(nq_descriptor_index *index);

/* The file's number, or UINT32_MAX. */
uint32_t nq__descriptor_find_file(const nq_descriptor_index *index, nq_bytes name);
uint32_t nq__descriptor_find_symbol(const nq_descriptor_index *index, nq_bytes name);
uint32_t nq__descriptor_find_extension(const nq_descriptor_index *index, nq_bytes extended,
                                       uint64_t number);

#endif
