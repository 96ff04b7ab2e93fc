/* Complete: what the word at the cursor may become.
 *
 * Knows as much SQL as that takes: words, strings, where tables are named, and under which names.
 * Names and keywords match whatever their case; a keyword comes in the case it was begun in, a name
 * quoted where it must be. */
#ifndef NQ_SDK_CLI_COMPLETE_H
#define NQ_SDK_CLI_COMPLETE_H

#include "sdk/cli/names.h"

typedef struct nq_completion {
    size_t start;   /* of the word in the text; it reaches to the cursor */
    nq_words words; /* what may stand in its place, sorted */
} nq_completion;

/* `text` is what has been typed of the statement and of what follows the cursor, or a line that
 * begins with a backslash. The caller deinits `out->words`. */
void nq_complete(nq_names *names, const char *text, size_t bytes, size_t cursor,
                 nq_completion *out);

#endif
