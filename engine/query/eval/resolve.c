/* Resolution: which row of the function table a call means.
 *
 * PostgreSQL's rules (its manual, chapter 10), reduced to a cost: every candidate of the right name
 * and number of arguments is priced by the implicit casts it needs, and the cheapest wins. An
 * untyped literal is free as text and dear as anything else, except beside an operand of known
 * type, whose type it then takes. */
#include <stdio.h>

#include "engine/query/eval/eval_internal.h"

enum {
    COST_NONE = -1,
    COST_UNTYPED = 10, /* an untyped literal read as something else than text */
    COST_EACH = 20,    /* an argument that takes anything: last resort */
};

static bool has_name(const nq_function *function, nq_bytes name) {
    size_t size = strlen(function->name);
    return size == name.size && memcmp(function->name, name.data, size) == 0;
}

static bool is_candidate(const nq_function *function, nq_bytes name, bool is_operator) {
    return function->name[0] == (char)name.data[0] &&
           (function->kind == NQ_FUNCTION_OPERATOR) == is_operator && has_name(function, name);
}

bool nq_function_exists(nq_bytes name) {
    for (uint32_t i = 0; name.size > 0 && i < nq_function_count; i++) {
        if (is_candidate(&nq_functions[i], name, false)) {
            return true;
        }
    }
    return false;
}

bool nq_function_is_aggregate(nq_bytes name) {
    for (uint32_t i = 0; name.size > 0 && i < nq_function_count; i++) {
        if (is_candidate(&nq_functions[i], name, false)) {
            return nq_functions[i].kind == NQ_FUNCTION_AGGREGATE;
        }
    }
    return false;
}

static bool takes_count(const nq_function *function, uint32_t count) {
    size_t wanted = strlen(function->args);
    return count == wanted || ((function->flags & NQ_FUNCTION_VARIADIC) != 0 && count > wanted);
}

static char letter_of(const nq_function *function, uint32_t index) {
    size_t count = strlen(function->args);
    return function->args[index < count ? index : count - 1];
}

static int argument_cost(nq_type_id source, nq_type_id target) {
    if (source == NQ_TYPE_UNKNOWN) {
        return target == NQ_TYPE_TEXT ? 0 : COST_UNTYPED;
    }
    return nq__implicit_cost(source, target);
}

/* The common type of the arguments at letter `a`. */
static bool common_of(const nq_function *function, const nq_type *types, uint32_t count,
                      nq_type *out_common) {
    nq_type alike[NQ_FUNCTION_ARGUMENTS_MAX];
    uint32_t alike_count = 0;
    uint32_t culprit;
    for (uint32_t i = 0; i < count; i++) {
        if (letter_of(function, i) == 'a') {
            alike[alike_count++] = types[i];
        }
    }
    return nq__common_type(alike, alike_count, out_common, &culprit);
}

static int cost_of(const nq_function *function, const nq_type *types, uint32_t count) {
    nq_type common;
    if (!takes_count(function, count) || !common_of(function, types, count, &common)) {
        return COST_NONE;
    }
    int total = 0;
    for (uint32_t i = 0; i < count; i++) {
        char letter = letter_of(function, i);
        int cost = COST_EACH;
        if (letter == 'a') {
            cost = types[i].id == NQ_TYPE_UNKNOWN ? 0 : nq__implicit_cost(types[i].id, common.id);
        } else if (letter != 'e') {
            cost = argument_cost(types[i].id, nq_function_letter_type(letter));
        }
        if (cost < 0) {
            return COST_NONE;
        }
        total += cost;
    }
    return total;
}

static void settle(const nq_function *function, const nq_type *types, uint32_t count,
                   nq_resolution *out_resolution) {
    nq_type common = NQ_TYPE(NQ_TYPE_UNKNOWN);
    (void)common_of(function, types, count, &common);
    out_resolution->function = function;
    for (uint32_t i = 0; i < count; i++) {
        char letter = letter_of(function, i);
        nq_type_id source = types[i].id == NQ_TYPE_UNKNOWN ? NQ_TYPE_TEXT : types[i].id;
        nq_type_id wanted = letter == 'a'   ? common.id
                            : letter == 'e' ? source
                                            : nq_function_letter_type(letter);
        /* The same type keeps its length: no cast is wanted. */
        out_resolution->arg_types[i] = types[i].id == wanted ? types[i] : NQ_TYPE(wanted);
    }
    out_resolution->result =
        function->result == 'a' ? common : NQ_TYPE(nq_function_letter_type(function->result));
}

/* Among equally cheap candidates the one of doubles wins; otherwise there is no telling. */
static const nq_function *cheapest(nq_bytes name, bool is_operator, const nq_type *types,
                                   uint32_t count, bool *out_is_ambiguous) {
    const nq_function *best = NULL;
    int best_cost = 0;
    *out_is_ambiguous = false;
    for (uint32_t i = 0; i < nq_function_count; i++) {
        const nq_function *function = &nq_functions[i];
        if (!is_candidate(function, name, is_operator)) {
            continue;
        }
        int cost = cost_of(function, types, count);
        if (cost == COST_NONE || (best != NULL && cost > best_cost)) {
            continue;
        }
        if (best == NULL || cost < best_cost) {
            best = function;
            best_cost = cost;
            *out_is_ambiguous = false;
        } else if (strchr(function->args, 'd') != NULL) {
            best = function;
            *out_is_ambiguous = false;
        } else if (strchr(best->args, 'd') == NULL) {
            *out_is_ambiguous = true;
        }
    }
    return best;
}

/* An untyped operand beside a typed one is first tried as the same type. */
static const nq_function *with_equal_operands(nq_bytes name, const nq_type *types) {
    bool is_left = types[0].id == NQ_TYPE_UNKNOWN;
    if (is_left == (types[1].id == NQ_TYPE_UNKNOWN)) {
        return NULL;
    }
    nq_type same[2] = {types[is_left ? 1 : 0], types[is_left ? 1 : 0]};
    for (uint32_t i = 0; i < nq_function_count; i++) {
        if (is_candidate(&nq_functions[i], name, true) && cost_of(&nq_functions[i], same, 2) == 0) {
            return &nq_functions[i];
        }
    }
    return NULL;
}

/* ---- Saying why not ---- */

enum { SIGNATURE_BYTES = 160, NAME_DISTANCE_MAX = 2, NAME_BYTES_MAX = 32 };

static void print_signature(nq_bytes name, bool is_operator, const nq_type *types, uint32_t count,
                            char *out_text) {
    size_t used = 0;
    if (is_operator && count == 2) {
        (void)snprintf(out_text, SIGNATURE_BYTES, "%s %.*s %s", nq_type_name(types[0].id),
                       NQ_BYTES_FORMAT(name), nq_type_name(types[1].id));
        return;
    }
    used = (size_t)snprintf(out_text, SIGNATURE_BYTES, is_operator ? "%.*s " : "%.*s(",
                            NQ_BYTES_FORMAT(name));
    for (uint32_t i = 0; i < count && used < SIGNATURE_BYTES; i++) {
        used += (size_t)snprintf(out_text + used, SIGNATURE_BYTES - used, "%s%s", i > 0 ? ", " : "",
                                 nq_type_name(types[i].id));
    }
    if (!is_operator && used < SIGNATURE_BYTES) {
        (void)snprintf(out_text + used, SIGNATURE_BYTES - used, ")");
    }
}

/* Levenshtein's distance of two short names. */
static uint32_t distance(nq_bytes left, const char *right) {
    uint8_t row[NAME_BYTES_MAX + 1];
    size_t right_size = strlen(right);
    if (left.size > NAME_BYTES_MAX || right_size > NAME_BYTES_MAX) {
        return UINT32_MAX;
    }
    for (size_t j = 0; j <= right_size; j++) {
        row[j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= left.size; i++) {
        uint8_t diagonal = row[0];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= right_size; j++) {
            uint8_t above = row[j];
            uint8_t least = diagonal;
            if (left.data[i - 1] != (uint8_t)right[j - 1]) {
                least = above < least ? above : least;
                least = row[j - 1] < least ? row[j - 1] : least;
                least++;
            }
            row[j] = least;
            diagonal = above;
        }
    }
    return row[right_size];
}

static const char *nearest_name(nq_bytes name) {
    const char *nearest = NULL;
    uint32_t least = NAME_DISTANCE_MAX + 1;
    for (uint32_t i = 0; i < nq_function_count; i++) {
        if (nq_functions[i].kind != NQ_FUNCTION_OPERATOR) {
            uint32_t d = distance(name, nq_functions[i].name);
            if (d < least && (size_t)d * 2 < name.size) {
                least = d;
                nearest = nq_functions[i].name;
            }
        }
    }
    return nearest;
}

static bool any_takes_count(nq_bytes name, bool is_operator, uint32_t count) {
    for (uint32_t i = 0; i < nq_function_count; i++) {
        if (is_candidate(&nq_functions[i], name, is_operator) &&
            takes_count(&nq_functions[i], count)) {
            return true;
        }
    }
    return false;
}

static nq_status fail_unknown(nq_ctx *ctx, nq_bytes name, bool is_operator, const nq_type *types,
                              uint32_t count, bool is_ambiguous) {
    char signature[SIGNATURE_BYTES];
    print_signature(name, is_operator, types, count, signature);
    const char *kind = is_operator ? "operator" : "function";
    nq_status status = nq_fail(ctx, NQ_UNKNOWN_FUNCTION, "%s %s %s", kind, signature,
                               is_ambiguous ? "is not unique" : "does not exist");
    nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
    if (is_ambiguous) {
        nq_error_set_hint(&ctx->error,
                          "More than one fits; CAST the arguments to the types meant.");
    } else if (any_takes_count(name, is_operator, count)) {
        nq_error_set_hint(&ctx->error, "No %s of this name takes these types; CAST may help.",
                          kind);
    } else if (!is_operator && nq_function_exists(name)) {
        nq_error_set_hint(&ctx->error, "The function takes another number of arguments.");
    } else if (!is_operator && nearest_name(name) != NULL) {
        nq_error_set_hint(&ctx->error, "Perhaps %s() was meant.", nearest_name(name));
    }
    return status;
}

nq_status nq_function_find(nq_ctx *ctx, nq_bytes name, bool is_operator, const nq_type *arg_types,
                           uint32_t arg_count, nq_resolution *out_resolution) {
    out_resolution->function = NULL;
    if (name.size == 0 || arg_count > NQ_FUNCTION_ARGUMENTS_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a function takes at most %d arguments",
                       NQ_FUNCTION_ARGUMENTS_MAX);
    }
    bool is_ambiguous = false;
    const nq_function *found = NULL;
    if (is_operator && arg_count == 2) {
        found = with_equal_operands(name, arg_types);
        if (found != NULL) {
            nq_type known = arg_types[arg_types[0].id == NQ_TYPE_UNKNOWN ? 1 : 0];
            settle(found, (nq_type[]){NQ_TYPE(known.id), NQ_TYPE(known.id)}, 2, out_resolution);
            return NQ_OK;
        }
    }
    found = cheapest(name, is_operator, arg_types, arg_count, &is_ambiguous);
    if (found == NULL || is_ambiguous) {
        return fail_unknown(ctx, name, is_operator, arg_types, arg_count, is_ambiguous);
    }
    settle(found, arg_types, arg_count, out_resolution);
    return NQ_OK;
}
