/* Options: --name value, --name=value, -n value, -nvalue, -abc for flags. */
#include "sdk/cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const nq_option *find_long(const nq_option *options, size_t count, const char *name,
                                  size_t name_bytes) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == name_bytes &&
            strncmp(options[i].name, name, name_bytes) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static const nq_option *find_short(const nq_option *options, size_t count, char letter) {
    for (size_t i = 0; i < count; i++) {
        if (options[i].letter == letter && letter != 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool set_value(const nq_option *option, const char *value) {
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case NQ_OPTION_FLAG:
        *(bool *)option->target = true;
        return true;
    case NQ_OPTION_TEXT:
        *(const char **)option->target = value;
        return true;
    case NQ_OPTION_COUNT: {
        unsigned long long number = strtoull(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || errno != 0) {
            fprintf(stderr, "nq: --%s wants a whole number, not '%s'\n", option->name, value);
            return false;
        }
        *(uint64_t *)option->target = number;
        return true;
    }
    default: {
        double number = strtod(value, &end);
        if (end == value || *end != '\0' || !isfinite(number) || number < 0) {
            fprintf(stderr, "nq: --%s wants a number of seconds, not '%s'\n", option->name, value);
            return false;
        }
        *(double *)option->target = number;
        return true;
    }
    }
}

typedef struct parser {
    const nq_option *options;
    size_t option_count;
    char **words;
    int count;
    int at;
} parser;

static bool take_value(parser *p, const nq_option *option, const char *attached) {
    if (attached != NULL) {
        return set_value(option, attached);
    }
    if (p->at >= p->count) {
        fprintf(stderr, "nq: --%s wants a value\n", option->name);
        return false;
    }
    return set_value(option, p->words[p->at++]);
}

static bool take_long(parser *p, const char *word) {
    const char *name = word + 2;
    size_t name_bytes = strcspn(name, "=");
    const nq_option *option = find_long(p->options, p->option_count, name, name_bytes);
    const char *attached = name[name_bytes] == '=' ? name + name_bytes + 1 : NULL;
    if (option == NULL) {
        fprintf(stderr, "nq: unknown option '%s'; see nq --help\n", word);
        return false;
    }
    if (option->kind == NQ_OPTION_FLAG) {
        if (attached != NULL) {
            fprintf(stderr, "nq: --%s takes no value\n", option->name);
            return false;
        }
        return set_value(option, NULL);
    }
    return take_value(p, option, attached);
}

static bool take_short(parser *p, const char *word) {
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const nq_option *option = find_short(p->options, p->option_count, *letter);
        if (option == NULL) {
            fprintf(stderr, "nq: unknown option '-%c'; see nq --help\n", *letter);
            return false;
        }
        if (option->kind != NQ_OPTION_FLAG) {
            return take_value(p, option, letter[1] != '\0' ? letter + 1 : NULL);
        }
        set_value(option, NULL);
    }
    return true;
}

bool nq_options_parse(const nq_option *options, size_t option_count, char **words, int *io_count,
                      bool stop_at_word) {
    parser p = {
        .options = options, .option_count = option_count, .words = words, .count = *io_count};
    int kept = 0;
    bool only_words = false;
    while (p.at < p.count) {
        char *word = words[p.at++];
        if (only_words || word[0] != '-' || word[1] == '\0') {
            words[kept++] = word;
            only_words = only_words || stop_at_word;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!(word[1] == '-' ? take_long(&p, word) : take_short(&p, word))) {
            return false;
        }
    }
    *io_count = kept;
    return true;
}
