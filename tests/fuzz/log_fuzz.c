/* Fuzz: a group of log records from a hostile file. Sizes, kinds and counts are the input's; the
 * checksums are made to match, so that everything behind them is reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/storage/wal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SALT = 7, RUN = 2, KINDS = 6 };

/* Decodes as the input stands, then each record again after a round trip. */
static void decode_all(nq_bytes payload, nq_lsn lsn) {
    while (payload.size != 0) {
        nq_log_record record;
        size_t bytes;
        if (!nq_record_decode(payload, lsn, nq_log_key_of(SALT, RUN), &record, &bytes)) {
            return;
        }
        if (bytes == 0 || bytes > payload.size || bytes != nq_record_bytes(&record)) {
            abort();
        }
        payload = nq_bytes_of(payload.data + bytes, payload.size - bytes);
        lsn.value += bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < NQ_LOG_GROUP_HEADER_BYTES) {
        return 0;
    }
    nq_log_group group;
    uint64_t lsn;
    memcpy(&lsn, data + 16, sizeof lsn);
    if (nq_log_group_decode(data, (nq_lsn){lsn}, SALT, &group)) {
        nq_bytes payload =
            nq_bytes_of(data + NQ_LOG_GROUP_HEADER_BYTES, size - NQ_LOG_GROUP_HEADER_BYTES);
        (void)nq_log_group_is_valid(&group, payload, SALT);
    }
    /* The input as the fields of one record. */
    nq_log_record record = {
        .kind = (nq_record_kind)(1 + data[0] % KINDS),
        .tree = data[1],
        .generation = lsn,
        .time_us = (int64_t)lsn,
    };
    bool has_key = record.kind == NQ_RECORD_PUT || record.kind == NQ_RECORD_REMOVE ||
                   record.kind == NQ_RECORD_COMMIT;
    bool has_value = record.kind == NQ_RECORD_PUT || record.kind == NQ_RECORD_COMMIT;
    size_t key_bytes = has_key ? data[2] % (size - 16) : 0;
    record.key = nq_bytes_of(data + 16, key_bytes);
    record.value = nq_bytes_of(data + 16, has_value ? size - 16 : 0);
    static uint8_t bytes[1 << 17];
    size_t record_bytes = nq_record_bytes(&record);
    if (record_bytes + 64 > sizeof bytes) {
        return 0;
    }
    nq_record_encode(&record, (nq_lsn){lsn}, nq_log_key_of(SALT, RUN), bytes);
    decode_all(nq_bytes_of(bytes, record_bytes), (nq_lsn){lsn});
    /* One byte of it is another: never accepted. */
    size_t at = data[3] % record_bytes;
    bytes[at] ^= (uint8_t)(data[4] | 1);
    nq_log_record read;
    size_t read_bytes;
    if (nq_record_decode(nq_bytes_of(bytes, record_bytes), (nq_lsn){lsn}, nq_log_key_of(SALT, RUN),
                         &read, &read_bytes)) {
        abort();
    }
    return 0;
}
