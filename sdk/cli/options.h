/* Options: command line words into variables, by one table per command. */
#ifndef NQ_SDK_CLI_OPTIONS_H
#define NQ_SDK_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum nq_option_kind {
    NQ_OPTION_FLAG,    /* bool: set */
    NQ_OPTION_TEXT,    /* const char *: the next word, or what follows `=` */
    NQ_OPTION_COUNT,   /* uint64_t */
    NQ_OPTION_SECONDS, /* double, not negative */
} nq_option_kind;

typedef struct nq_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    nq_option_kind kind;
    void *target;
} nq_option;

/* Takes options from the front of `words`, in any order, and leaves the others, in order, in
 * `words[0 .. *io_count)`. With `stop_at_word` it stops at the first word that is no option and
 * leaves everything from there on. `--` ends the options. False: a message was written to stderr.
 */
bool nq_options_parse(const nq_option *options, size_t option_count, char **words, int *io_count,
                      bool stop_at_word);

#endif
