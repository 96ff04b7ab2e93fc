/* CSV: a reader that looks at each byte once, and a writer of fields. */
#include "sdk/cli/csv.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 256 * 1024, END_OF_FILE = -1 };

void nq_csv_reader_init(nq_csv_reader *reader, FILE *file, char delimiter) {
    *reader =
        (nq_csv_reader){.file = file, .delimiter = delimiter, .line_next = 1, .at_start = true};
    reader->buffer = nq_must_allocate(BUFFER_BYTES);
}

void nq_csv_reader_deinit(nq_csv_reader *reader) {
    free(reader->buffer);
    free(reader->fields);
    free(reader->starts);
    nq_text_deinit(&reader->record);
}

static bool fill(nq_csv_reader *reader) {
    reader->buffer_at = 0;
    reader->buffer_end = fread(reader->buffer, 1, BUFFER_BYTES, reader->file);
    return reader->buffer_end != 0;
}

static int peek(nq_csv_reader *reader) {
    if (reader->buffer_at == reader->buffer_end && !fill(reader)) {
        return END_OF_FILE;
    }
    return (unsigned char)reader->buffer[reader->buffer_at];
}

static int take(nq_csv_reader *reader) {
    int c = peek(reader);
    if (c != END_OF_FILE) {
        reader->buffer_at++;
        reader->bytes_read++;
    }
    return c;
}

static nq_csv_step fail(nq_csv_reader *reader, const char *words) {
    snprintf(reader->error, sizeof reader->error, "%s", words);
    return NQ_CSV_ERROR;
}

/* The run of ordinary characters from here on, in one piece per buffer. */
static void take_run(nq_csv_reader *reader, const char *stops) {
    while (peek(reader) != END_OF_FILE) {
        const char *from = reader->buffer + reader->buffer_at;
        size_t available = reader->buffer_end - reader->buffer_at;
        size_t bytes = 0;
        while (bytes < available && from[bytes] != stops[0] && from[bytes] != stops[1] &&
               from[bytes] != stops[2] && from[bytes] != stops[3]) {
            bytes++;
        }
        nq_text_append(&reader->record, from, bytes);
        reader->buffer_at += bytes;
        reader->bytes_read += bytes;
        if (bytes < available || reader->record.bytes > NQ_CSV_RECORD_BYTES_MAX) {
            return;
        }
    }
}

/* The rest of a quoted field, after its opening quote. */
static nq_csv_step take_quoted(nq_csv_reader *reader) {
    static const char stops[] = {'"', '\n', '"', '\n'};
    for (;;) {
        take_run(reader, stops);
        if (reader->record.bytes > NQ_CSV_RECORD_BYTES_MAX) {
            return fail(reader, "the record is longer than 16 MiB; is a quote missing?");
        }
        int c = take(reader);
        if (c == END_OF_FILE) {
            return fail(reader, "the file ends inside a quoted field");
        }
        if (c == '\n') {
            reader->line_next++;
            nq_text_append_char(&reader->record, '\n');
        } else if (peek(reader) == '"') {
            take(reader);
            nq_text_append_char(&reader->record, '"');
        } else {
            return NQ_CSV_RECORD;
        }
    }
}

static nq_csv_step take_plain(nq_csv_reader *reader) {
    const char stops[] = {reader->delimiter, '\n', '"', '\r'};
    for (;;) {
        take_run(reader, stops);
        if (reader->record.bytes > NQ_CSV_RECORD_BYTES_MAX) {
            return fail(reader, "the record is longer than 16 MiB");
        }
        int c = peek(reader);
        if (c == '"') {
            return fail(reader, "a quote inside a field that does not begin with one");
        }
        if (c != '\r') {
            return NQ_CSV_RECORD;
        }
        take(reader);
        if (peek(reader) == '\n') {
            return NQ_CSV_RECORD;
        }
        nq_text_append_char(&reader->record, '\r');
    }
}

static nq_csv_step take_field(nq_csv_reader *reader) {
    if (reader->field_count == reader->field_capacity) {
        reader->field_capacity = reader->field_capacity * 2 + 16;
        reader->fields =
            nq_must_resize(reader->fields, reader->field_capacity * sizeof *reader->fields);
        reader->starts =
            nq_must_resize(reader->starts, reader->field_capacity * sizeof *reader->starts);
    }
    if (reader->field_count == NQ_CSV_FIELDS_MAX) {
        return fail(reader, "a record of more than 4096 fields");
    }
    size_t start = reader->record.bytes;
    bool is_quoted = peek(reader) == '"';
    nq_csv_step step;
    if (is_quoted) {
        take(reader);
        step = take_quoted(reader);
        if (step == NQ_CSV_RECORD && peek(reader) == '\r') {
            take(reader);
            if (peek(reader) != '\n') {
                return fail(reader, "text after a closing quote");
            }
        }
    } else {
        step = take_plain(reader);
    }
    reader->starts[reader->field_count] = start;
    reader->fields[reader->field_count++] =
        (nq_csv_field){.bytes = reader->record.bytes - start, .is_quoted = is_quoted};
    return step;
}

static nq_csv_step take_record(nq_csv_reader *reader) {
    reader->line = reader->line_next;
    reader->field_count = 0;
    nq_text_clear(&reader->record);
    for (;;) {
        nq_csv_step step = take_field(reader);
        if (step != NQ_CSV_RECORD) {
            return step;
        }
        int c = take(reader);
        if (c == END_OF_FILE || c == '\n') {
            reader->line_next++;
            break;
        }
        if (c != (unsigned char)reader->delimiter) {
            return fail(reader, "text after a closing quote");
        }
    }
    /* Only now has `record` stopped moving. */
    for (size_t i = 0; i < reader->field_count; i++) {
        reader->fields[i].text = nq_text_string(&reader->record) + reader->starts[i];
    }
    return NQ_CSV_RECORD;
}

static void skip_mark(nq_csv_reader *reader) {
    reader->at_start = false;
    if (peek(reader) == 0xef && reader->buffer_end - reader->buffer_at >= 3 &&
        memcmp(reader->buffer + reader->buffer_at, "\xef\xbb\xbf", 3) == 0) {
        reader->buffer_at += 3;
        reader->bytes_read += 3;
    }
}

nq_csv_step nq_csv_reader_next(nq_csv_reader *reader) {
    if (reader->at_start) {
        skip_mark(reader);
    }
    for (;;) {
        if (peek(reader) == END_OF_FILE) {
            return ferror(reader->file) ? fail(reader, "the file cannot be read") : NQ_CSV_END;
        }
        nq_csv_step step = take_record(reader);
        bool is_empty_line = step == NQ_CSV_RECORD && reader->field_count == 1 &&
                             reader->fields[0].bytes == 0 && !reader->fields[0].is_quoted;
        if (!is_empty_line) {
            return step;
        }
    }
}

void nq_csv_write_field(nq_text *text, const char *field, size_t bytes, char delimiter,
                        bool quote_empty) {
    bool needs_quotes = bytes == 0 ? quote_empty : field[0] == ' ' || field[bytes - 1] == ' ';
    /* At the start of a file it would be taken for the mark of its encoding. */
    needs_quotes = needs_quotes || (bytes >= 3 && memcmp(field, "\xef\xbb\xbf", 3) == 0);
    for (size_t i = 0; i < bytes && !needs_quotes; i++) {
        needs_quotes =
            field[i] == delimiter || field[i] == '"' || field[i] == '\n' || field[i] == '\r';
    }
    if (!needs_quotes) {
        nq_text_append(text, field, bytes);
        return;
    }
    nq_text_append_char(text, '"');
    for (size_t i = 0; i < bytes; i++) {
        if (field[i] == '"') {
            nq_text_append_char(text, '"');
        }
        nq_text_append_char(text, field[i]);
    }
    nq_text_append_char(text, '"');
}
