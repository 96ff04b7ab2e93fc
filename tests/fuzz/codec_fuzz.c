/* Varints: whatever is read is written back as the same number, in no more bytes. */
#include <stdlib.h>

#include "engine/ground/base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nq_bytes rest = nq_bytes_of(data, size);
    while (rest.size > 0) {
        uint64_t value;
        uint64_t again;
        uint8_t target[NQ_VARINT_BYTES_MAX];
        size_t bytes = nq_load_varint(rest, &value);
        if (bytes == 0) {
            if (value != 0) {
                abort();
            }
            bytes = 1;
        } else {
            size_t stored = nq_store_varint(target, value);
            if (bytes > rest.size || stored > bytes ||
                nq_load_varint(nq_bytes_of(target, stored), &again) != stored || again != value ||
                nq_zigzag_encode(nq_zigzag_decode(value)) != value) {
                abort();
            }
        }
        rest = nq_bytes_of(rest.data + bytes, rest.size - bytes);
    }
    return 0;
}
