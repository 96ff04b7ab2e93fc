/* Client batch: any bytes as a ColumnBatch from a server that lies. The first byte chooses the
 * columns' types; what passes the check must be readable to the last cell. */
#include <stdint.h>
#include <stdlib.h>

#include "sdk/c/client_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 16, ROWS_MAX = 4096 };

static void read_all(const nq_row_batch *batch) {
    volatile uint64_t sum = 0;
    for (size_t column = 0; column < batch->column_count; column++) {
        for (uint32_t row = 0; row < batch->row_count; row++) {
            nq_datum datum = nq_row_batch_get(batch, column, row);
            for (size_t i = 0; !datum.is_null && i < datum.text_bytes; i++) {
                sum += (uint8_t)datum.text[i];
            }
            sum += (uint64_t)datum.integer;
        }
    }
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    Neuroquantum__V1__ColumnBatch *message =
        neuroquantum__v1__column_batch__unpack(NULL, size - 1, data + 1);
    if (message == NULL) {
        return 0;
    }
    nq_column columns[COLUMNS_MAX];
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        columns[i] = (nq_column){.name = "c", .type = (nq_data_type)((data[0] + i) % 16)};
    }
    nq_row_batch batch = {.row_count = message->row_count,
                          .column_count = message->n_columns,
                          .columns = columns,
                          .message = message};
    nq_failure failure;
    if (message->n_columns <= COLUMNS_MAX && message->row_count <= ROWS_MAX &&
        nq__row_batch_check(&batch, &failure) == NQ_CODE_OK) {
        read_all(&batch);
    }
    neuroquantum__v1__column_batch__free_unpacked(message, NULL);
    return 0;
}
