/* What the writer and the reader of rows must agree on. */
#ifndef NQ_DATA_VALUE_ROW_INTERNAL_H
#define NQ_DATA_VALUE_ROW_INTERNAL_H

enum {
    NQ__ROW_WIDE = 0x01,        /* flags: end offsets take 4 bytes, not 2 */
    NQ__ROW_FORMAT_MASK = 0xF0, /* flags: format number, 0 today */
    NQ__ROW_NULLS_OFFSET = 1,
};

#endif
