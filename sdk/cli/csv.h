/* CSV: RFC 4180, streaming, both ways.
 *
 * Reading takes LF or CRLF, quoted fields with doubled quotes and line breaks inside, and a UTF-8
 * byte order mark at the start; it tells a quoted empty field from an empty one. It refuses what
 * would have to be guessed: a quote inside an unquoted field, text after a closing quote, an open
 * quote at the end. A field or record is bounded by NQ_CSV_RECORD_BYTES_MAX. */
#ifndef NQ_SDK_CLI_CSV_H
#define NQ_SDK_CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sdk/cli/text.h"

enum { NQ_CSV_RECORD_BYTES_MAX = 16 * 1024 * 1024, NQ_CSV_FIELDS_MAX = 4096 };

typedef struct nq_csv_field {
    const char *text; /* not terminated */
    size_t bytes;
    bool is_quoted;
} nq_csv_field;

typedef struct nq_csv_reader {
    FILE *file; /* borrowed */
    char delimiter;
    uint64_t line;        /* of the record last read, from 1 */
    uint64_t line_next;   /* of the next record */
    uint64_t bytes_read;  /* consumed by records */
    nq_csv_field *fields; /* the record last read */
    size_t field_count;
    size_t field_capacity;
    nq_text record; /* the fields' characters */
    size_t *starts; /* of each field in `record`, until it stops moving */
    char *buffer;
    size_t buffer_at;
    size_t buffer_end;
    bool at_start;
    char error[128];
} nq_csv_reader;

typedef enum nq_csv_step { NQ_CSV_END, NQ_CSV_RECORD, NQ_CSV_ERROR } nq_csv_step;

void nq_csv_reader_init(nq_csv_reader *reader, FILE *file, char delimiter);
void nq_csv_reader_deinit(nq_csv_reader *reader);
/* The next record, in `fields`, valid until the next call. Empty lines are skipped. After
 * NQ_CSV_ERROR `error` says why and `line` where. */
nq_csv_step nq_csv_reader_next(nq_csv_reader *reader);

/* One field as it must be written: quoted when it holds the delimiter, a quote, a line break or
 * outer blanks, or is empty and `quote_empty`, which tells it from NULL. */
void nq_csv_write_field(nq_text *text, const char *field, size_t bytes, char delimiter,
                        bool quote_empty);

#endif
