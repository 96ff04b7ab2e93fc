/* The configuration file: YAML mappings of scalars, nested by the dots of the keys.
 *
 *     storage:
 *       cache: 256MiB
 *
 * Sequences, anchors, aliases, further documents and a key given twice are errors: there is no
 * setting they could mean. */
#include <yaml.h>

#include "server/config/config_internal.h"

enum { KEY_BYTES = 64, DEPTH_MAX = 4 };

typedef struct yaml_reader {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_config *config;
    const char *path;
    yaml_parser_t parser;
    char key[KEY_BYTES]; /* of the mapping being read, with its final dot */
    bool seen[NQ_SETTING_TOTAL];
} yaml_reader;

static void describe_place(const yaml_reader *reader, yaml_mark_t mark, char where[160]) {
    (void)snprintf(where, 160, "%s:%zu: ", reader->path, mark.line + 1);
}

static nq_status refuse(yaml_reader *reader, yaml_mark_t mark, const char *what) {
    char where[160];
    describe_place(reader, mark, where);
    return nq_fail(reader->ctx, NQ_INVALID_ARGUMENT, "%s%s", where, what);
}

static nq_status next_event(yaml_reader *reader, yaml_event_t *out_event) {
    if (yaml_parser_parse(&reader->parser, out_event) != 0) {
        return NQ_OK;
    }
    out_event->type = YAML_NO_EVENT;
    return refuse(reader, reader->parser.problem_mark,
                  reader->parser.problem == NULL ? "no memory" : reader->parser.problem);
}

static nq_bytes scalar_text(const yaml_event_t *event) {
    return nq_bytes_of(event->data.scalar.value, event->data.scalar.length);
}

static nq_status set_scalar(yaml_reader *reader, const yaml_event_t *event) {
    char where[160];
    nq_bytes key = nq_bytes_of_cstr(reader->key);
    describe_place(reader, event->start_mark, where);
    const nq_setting *setting = nq_setting_find(key);
    if (setting == NULL) {
        return nq__config_unknown(reader->ctx, where, key, key, NULL);
    }
    if (reader->seen[setting - nq_settings]) {
        return refuse(reader, event->start_mark, "the setting is given twice");
    }
    reader->seen[setting - nq_settings] = true;
    return nq_config_set(reader->ctx, reader->arena, reader->config, setting, scalar_text(event),
                         NQ_SOURCE_FILE, where);
}

static nq_status read_mapping(yaml_reader *reader, uint32_t depth);

/* The value of reader->key, whose event has come. */
static nq_status read_value(yaml_reader *reader, const yaml_event_t *event, uint32_t depth) {
    if (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor == NULL) {
        return set_scalar(reader, event);
    }
    if (event->type != YAML_MAPPING_START_EVENT || event->data.mapping_start.anchor != NULL) {
        return refuse(reader, event->start_mark, "a value or a mapping is expected here");
    }
    size_t used = strlen(reader->key);
    if (depth == DEPTH_MAX || used + 2 > sizeof reader->key) {
        return refuse(reader, event->start_mark, "the file is nested too deeply");
    }
    reader->key[used] = '.';
    reader->key[used + 1] = '\0';
    return read_mapping(reader, depth + 1);
}

/* Up to and including the end of the mapping. */
static nq_status read_mapping(yaml_reader *reader, uint32_t depth) {
    size_t prefix_bytes = strlen(reader->key);
    while (true) {
        yaml_event_t event;
        nq_status status = next_event(reader, &event);
        if (status != NQ_OK || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return status;
        }
        if (event.type != YAML_SCALAR_EVENT ||
            prefix_bytes + event.data.scalar.length >= sizeof reader->key) {
            status = refuse(reader, event.start_mark, "a setting's name is expected here");
            yaml_event_delete(&event);
            return status;
        }
        memcpy(reader->key + prefix_bytes, event.data.scalar.value, event.data.scalar.length);
        reader->key[prefix_bytes + event.data.scalar.length] = '\0';
        yaml_event_delete(&event);
        NQ_TRY(next_event(reader, &event));
        status = read_value(reader, &event, depth);
        yaml_event_delete(&event);
        NQ_TRY(status);
        reader->key[prefix_bytes] = '\0';
    }
}

/* stream start, document start, one mapping (or nothing), document end, stream end. */
static nq_status read_stream(yaml_reader *reader) {
    uint32_t documents = 0;
    while (true) {
        yaml_event_t event;
        NQ_TRY(next_event(reader, &event));
        nq_status status = NQ_OK;
        bool at_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_MAPPING_START_EVENT) {
            status = read_mapping(reader, 0);
        } else if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            status = refuse(reader, event.start_mark, "a second document begins here");
        } else if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT ||
                   (event.type == YAML_SCALAR_EVENT && event.data.scalar.length > 0)) {
            status = refuse(reader, event.start_mark, "settings are expected here");
        }
        yaml_event_delete(&event);
        if (status != NQ_OK || at_end) {
            return status;
        }
    }
}

nq_status nq__config_read_yaml(nq_ctx *ctx, nq_arena *arena, nq_config *config, const char *path,
                               nq_bytes text) {
    yaml_reader reader = {.ctx = ctx, .arena = arena, .config = config, .path = path};
    if (yaml_parser_initialize(&reader.parser) == 0) {
        return nq_fail_no_memory(ctx, "the configuration file");
    }
    yaml_parser_set_input_string(&reader.parser, text.data, text.size);
    nq_status status = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return status;
}
