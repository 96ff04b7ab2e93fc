/* Printer: results on their way to a file, in one of the formats.
 *
 * Rows are written as their batches arrive; memory stays bounded. An aligned table takes its column
 * widths from the first NQ_TABLE_SAMPLE_ROWS rows and lets later, wider values stick out. */
#ifndef NQ_SDK_CLI_PRINTER_H
#define NQ_SDK_CLI_PRINTER_H

#include <stdbool.h>
#include <stdio.h>

#include "sdk/c/nq.h"
#include "sdk/cli/text.h"

enum { NQ_TABLE_SAMPLE_ROWS = 1000 };

typedef enum nq_output_format {
    NQ_OUTPUT_TABLE,
    NQ_OUTPUT_EXPANDED, /* one line per value */
    NQ_OUTPUT_CSV,      /* RFC 4180 with LF; header first; NULL is empty, an empty text is "" */
    NQ_OUTPUT_JSON,     /* one array of objects */
    NQ_OUTPUT_JSON_LINES,
} nq_output_format;

typedef struct nq_print_options {
    nq_output_format format;
    const char *null_text; /* tables only */
    bool no_header;        /* tables and CSV */
    bool no_footer;        /* tables */
} nq_print_options;

typedef struct nq_printer nq_printer;

/* "table", "expanded", "csv", "json", "jsonl". False: none of ours. */
/* Their names; NULL behind the last. */
const char *const *nq_output_format_names(void);
bool nq_output_format_find(const char *name, nq_output_format *out_format);

/* `columns` must live as long as the printer. */
nq_printer *nq_printer_create(FILE *file, const nq_print_options *options, const nq_column *columns,
                              size_t column_count);
void nq_printer_row(nq_printer *printer, const nq_datum *row);
/* Writes what was held back and, when the result `is_whole`, its end. False: the file could not be
 * written. */
bool nq_printer_finish(nq_printer *printer, bool is_whole);
void nq_printer_destroy(nq_printer *printer);

/* A text as a JSON string, with its quotes. Invalid UTF-8 becomes U+FFFD. */
void nq_json_append_string(nq_text *text, const char *source, size_t bytes);
/* A datum as JSON: numbers and truths as such, NaN and infinities and the rest as strings. */
void nq_json_append_datum(nq_text *text, const nq_datum *datum);

#endif
