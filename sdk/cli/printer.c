/* Printer: one small writer per format behind one door. */
#include "sdk/cli/printer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/csv.h"
#include "sdk/cli/literal.h"

enum { FLUSH_BYTES = 64 * 1024 };

struct nq_printer {
    FILE *file;
    nq_print_options options;
    const nq_column *columns;
    size_t column_count;
    uint64_t row_count;
    nq_text out; /* written to `file` whenever it is long enough */
    nq_text cell;
    /* Tables: the first rows, as text, until the widths are known. */
    char **held;
    size_t held_rows;
    size_t *widths;
    bool widths_are_known;
};

static const char *const format_names[] = {"table", "expanded", "csv", "json", "jsonl", NULL};

const char *const *nq_output_format_names(void) {
    return format_names;
}

bool nq_output_format_find(const char *name, nq_output_format *out_format) {
    for (size_t i = 0; format_names[i] != NULL; i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *out_format = (nq_output_format)i;
            return true;
        }
    }
    return false;
}

static void flush(nq_printer *printer) {
    if (printer->out.bytes != 0) {
        fwrite(printer->out.data, 1, printer->out.bytes, printer->file);
        nq_text_clear(&printer->out);
    }
}

/* ---- Tables ---- */

/* The datum as one line that cannot upset a terminal. */
static void append_cell(nq_printer *printer, nq_text *text, const nq_datum *datum) {
    if (datum->is_null) {
        nq_text_append_string(text, printer->options.null_text);
        return;
    }
    nq_text *plain = &printer->cell;
    nq_text_clear(plain);
    nq_literal_write(plain, datum);
    const char *source = nq_text_string(plain);
    for (size_t i = 0; i < plain->bytes; i++) {
        unsigned char c = (unsigned char)source[i];
        if (c >= 0x20 && c != 0x7f) {
            nq_text_append_char(text, (char)c);
        } else if (c == '\n') {
            nq_text_append_string(text, "\\n");
        } else if (c == '\t') {
            nq_text_append_string(text, "\\t");
        } else if (c == '\r') {
            nq_text_append_string(text, "\\r");
        } else {
            nq_text_append_format(text, "\\x%02x", (unsigned)c);
        }
    }
}

static void append_blanks(nq_text *text, size_t count) {
    for (size_t i = 0; i < count; i++) {
        nq_text_append_char(text, ' ');
    }
}

static void append_aligned(nq_printer *printer, size_t column, const char *cell) {
    nq_text *out = &printer->out;
    size_t bytes = strlen(cell);
    size_t width = nq_display_width(cell, bytes);
    size_t blanks = printer->widths[column] > width ? printer->widths[column] - width : 0;
    bool to_the_right = nq_data_type_is_number(printer->columns[column].type);
    bool is_last = column + 1 == printer->column_count;
    nq_text_append_string(out, column == 0 ? " " : "| ");
    append_blanks(out, to_the_right ? blanks : 0);
    nq_text_append(out, cell, bytes);
    append_blanks(out, to_the_right || is_last ? 0 : blanks);
    nq_text_append_char(out, is_last ? '\n' : ' ');
}

static void append_table_header(nq_printer *printer) {
    nq_text *out = &printer->out;
    for (size_t i = 0; i < printer->column_count; i++) {
        const char *name = printer->columns[i].name;
        size_t blanks = printer->widths[i] - nq_display_width(name, strlen(name));
        bool is_last = i + 1 == printer->column_count;
        nq_text_append_string(out, i == 0 ? " " : "| ");
        append_blanks(out, blanks / 2);
        nq_text_append_string(out, name);
        append_blanks(out, is_last ? 0 : blanks - blanks / 2);
        nq_text_append_char(out, is_last ? '\n' : ' ');
    }
    for (size_t i = 0; i < printer->column_count; i++) {
        nq_text_append_string(out, i == 0 ? "-" : "+-");
        for (size_t j = 0; j < printer->widths[i] + 1; j++) {
            nq_text_append_char(out, '-');
        }
    }
    nq_text_append_char(out, '\n');
}

/* Fixes the widths and lets the held rows go. */
static void release_held(nq_printer *printer) {
    size_t columns = printer->column_count;
    printer->widths_are_known = true;
    for (size_t i = 0; i < columns; i++) {
        const char *name = printer->columns[i].name;
        printer->widths[i] = printer->options.no_header ? 0 : nq_display_width(name, strlen(name));
        for (size_t row = 0; row < printer->held_rows; row++) {
            const char *cell = printer->held[row * columns + i];
            size_t width = nq_display_width(cell, strlen(cell));
            printer->widths[i] = width > printer->widths[i] ? width : printer->widths[i];
        }
    }
    if (!printer->options.no_header && columns != 0) {
        append_table_header(printer);
    }
    for (size_t i = 0; i < printer->held_rows * columns; i++) {
        append_aligned(printer, i % columns, printer->held[i]);
        free(printer->held[i]);
    }
    printer->held_rows = 0;
}

static void print_table_row(nq_printer *printer, const nq_datum *row) {
    size_t columns = printer->column_count;
    nq_text cell = {0};
    for (size_t i = 0; i < columns; i++) {
        nq_text_clear(&cell);
        append_cell(printer, &cell, &row[i]);
        if (printer->widths_are_known) {
            append_aligned(printer, i, nq_text_string(&cell));
        } else {
            printer->held[printer->held_rows * columns + i] =
                nq_must_copy(nq_text_string(&cell), cell.bytes);
        }
    }
    nq_text_deinit(&cell);
    if (!printer->widths_are_known && ++printer->held_rows == NQ_TABLE_SAMPLE_ROWS) {
        release_held(printer);
    }
}

static void print_expanded_row(nq_printer *printer, const nq_datum *row) {
    size_t width = 0;
    for (size_t i = 0; i < printer->column_count; i++) {
        size_t name = nq_display_width(printer->columns[i].name, strlen(printer->columns[i].name));
        width = name > width ? name : width;
    }
    nq_text_append_format(&printer->out, "-[ RECORD %llu ]-\n",
                          (unsigned long long)printer->row_count);
    for (size_t i = 0; i < printer->column_count; i++) {
        const char *name = printer->columns[i].name;
        nq_text_append_string(&printer->out, name);
        append_blanks(&printer->out, width - nq_display_width(name, strlen(name)));
        nq_text_append_string(&printer->out, " | ");
        append_cell(printer, &printer->out, &row[i]);
        nq_text_append_char(&printer->out, '\n');
    }
}

/* ---- Other formats ---- */

static void print_csv_header(nq_printer *printer) {
    for (size_t i = 0; i < printer->column_count; i++) {
        if (i > 0) {
            nq_text_append_char(&printer->out, ',');
        }
        const char *name = printer->columns[i].name;
        nq_csv_write_field(&printer->out, name, strlen(name), ',', true);
    }
    nq_text_append_string(&printer->out, "\n");
}

static void print_csv_row(nq_printer *printer, const nq_datum *row) {
    for (size_t i = 0; i < printer->column_count; i++) {
        if (i > 0) {
            nq_text_append_char(&printer->out, ',');
        }
        if (row[i].is_null) {
            continue;
        }
        nq_text_clear(&printer->cell);
        nq_literal_write(&printer->cell, &row[i]);
        nq_csv_write_field(&printer->out, nq_text_string(&printer->cell), printer->cell.bytes, ',',
                           true);
    }
    nq_text_append_string(&printer->out, "\n");
}

static void print_json_row(nq_printer *printer, const nq_datum *row) {
    for (size_t i = 0; i < printer->column_count; i++) {
        nq_text_append_char(&printer->out, i == 0 ? '{' : ',');
        nq_json_append_string(&printer->out, printer->columns[i].name,
                              strlen(printer->columns[i].name));
        nq_text_append_char(&printer->out, ':');
        nq_json_append_datum(&printer->out, &row[i]);
    }
    nq_text_append_string(&printer->out, printer->column_count == 0 ? "{}" : "}");
}

/* ---- The door ---- */

nq_printer *nq_printer_create(FILE *file, const nq_print_options *options, const nq_column *columns,
                              size_t column_count) {
    nq_printer *printer = nq_must_allocate(sizeof *printer);
    printer->file = file;
    printer->options = *options;
    if (printer->options.null_text == NULL) {
        printer->options.null_text = "NULL";
    }
    printer->columns = columns;
    printer->column_count = column_count;
    if (options->format == NQ_OUTPUT_TABLE) {
        printer->widths = nq_must_allocate((column_count + 1) * sizeof *printer->widths);
        printer->held =
            nq_must_allocate((column_count + 1) * NQ_TABLE_SAMPLE_ROWS * sizeof *printer->held);
    } else if (options->format == NQ_OUTPUT_CSV && !options->no_header) {
        print_csv_header(printer);
    }
    return printer;
}

void nq_printer_row(nq_printer *printer, const nq_datum *row) {
    printer->row_count++;
    switch (printer->options.format) {
    case NQ_OUTPUT_TABLE:
        print_table_row(printer, row);
        break;
    case NQ_OUTPUT_EXPANDED:
        print_expanded_row(printer, row);
        break;
    case NQ_OUTPUT_CSV:
        print_csv_row(printer, row);
        break;
    case NQ_OUTPUT_JSON:
        nq_text_append_string(&printer->out, printer->row_count == 1 ? "[" : ",\n ");
        print_json_row(printer, row);
        break;
    case NQ_OUTPUT_JSON_LINES:
        print_json_row(printer, row);
        nq_text_append_char(&printer->out, '\n');
        break;
    }
    if (printer->out.bytes >= FLUSH_BYTES) {
        flush(printer);
    }
}

bool nq_printer_finish(nq_printer *printer, bool is_whole) {
    bool is_table = printer->options.format == NQ_OUTPUT_TABLE;
    if (is_table && !printer->widths_are_known) {
        release_held(printer);
    }
    if ((is_table || printer->options.format == NQ_OUTPUT_EXPANDED) &&
        !printer->options.no_footer && is_whole) {
        nq_text_append_format(&printer->out, "(%llu row%s)\n",
                              (unsigned long long)printer->row_count,
                              printer->row_count == 1 ? "" : "s");
    }
    if (printer->options.format == NQ_OUTPUT_JSON && is_whole) {
        nq_text_append_string(&printer->out, printer->row_count == 0 ? "[]\n" : "]\n");
    }
    flush(printer);
    return fflush(printer->file) == 0 && !ferror(printer->file);
}

void nq_printer_destroy(nq_printer *printer) {
    for (size_t i = 0; i < printer->held_rows * printer->column_count; i++) {
        free(printer->held[i]);
    }
    free(printer->held);
    free(printer->widths);
    nq_text_deinit(&printer->out);
    nq_text_deinit(&printer->cell);
    free(printer);
}
