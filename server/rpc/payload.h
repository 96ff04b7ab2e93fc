/* Payload: the immutable, counted bytes of one outgoing message.
 *
 * Filled once by its creator, then sealed and shared: a message published to a thousand subscribers
 * is encoded once and sent a thousand times without a copy. A message whose beginning is shared and
 * whose end is not is a join of two payloads; the wire sees their concatenation. */
#ifndef NQ_SERVER_RPC_PAYLOAD_H
#define NQ_SERVER_RPC_PAYLOAD_H

#include "engine/ground/base/bytes.h"

typedef struct nq_payload nq_payload;

enum { NQ_PAYLOAD_PARTS_MAX = 8 };

/* Room for `bytes_max` bytes, unsealed; NULL when memory is exhausted. Its creator is its only
 * owner until the seal. */
nq_payload *nq_payload_create(size_t bytes_max);

/* The bytes to fill; only before the seal, only by the creator. */
uint8_t *nq_payload_room(nq_payload *payload);

/* Fixes the length (at most bytes_max) and makes it immutable; returns `payload`, for chaining. */
nq_payload *nq_payload_seal(nq_payload *payload, size_t bytes);

/* create + copy + seal. */
nq_payload *nq_payload_copy(nq_bytes bytes);

/* One message out of at most NQ_PAYLOAD_PARTS_MAX sealed, unjoined parts, in order, without
 * copying. Takes over one reference to each part, also when it fails with NULL (no memory, or a
 * NULL part). */
nq_payload *nq_payload_join(nq_payload *const *parts, size_t count);

/* Any thread. release(NULL) does nothing. */
nq_payload *nq_payload_acquire(nq_payload *payload);
void nq_payload_release(nq_payload *payload);

/* Total bytes on the wire, all parts. */
size_t nq_payload_size(const nq_payload *payload);

/* The parts, in order: 1 unless joined. Valid while a reference is held. */
size_t nq_payload_part_count(const nq_payload *payload);
nq_bytes nq_payload_part(const nq_payload *payload, size_t index);

#endif
