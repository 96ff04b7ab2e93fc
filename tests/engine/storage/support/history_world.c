/* History's world: numbers and the bytes that stand for them, failures, states. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/engine/storage/support/history_internal.h"

void history__fail(history_world *w, const char *format, ...) {
    if (w->failure[0] != 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->failure, sizeof w->failure, format, arguments);
    va_end(arguments);
}

bool history__expect(history_world *w, const nq_ctx *ctx, nq_status status, nq_status expected,
                     const char *what) {
    if (!nq_sim_vfs_is_on(w->disk)) {
        return false;
    }
    if (status != expected) {
        history__fail(w, "%s: %s (%s) where the oracle says %s", what, nq_status_name(status),
                      status == NQ_OK ? "" : ctx->error.message, nq_status_name(expected));
    }
    return status == expected && status == NQ_OK;
}

/* ---- Keys and values ---- */

/* Two digits, so that keys are in the order of their numbers; every third is long. */
nq_bytes history__key(uint32_t key, char room[HISTORY_KEY_BYTES_MAX]) {
    int bytes = snprintf(room, HISTORY_KEY_BYTES_MAX, "%02u%s", key,
                         key % 3 == 0 ? "/a-key-that-is-longer-than-others" : "");
    return nq_bytes_of(room, (size_t)bytes);
}

uint32_t history__key_number(nq_bytes key) {
    char room[HISTORY_KEY_BYTES_MAX];
    for (uint32_t i = 0; i < ORACLE_KEYS; i++) {
        if (nq_bytes_equal(key, history__key(i, room))) {
            return i + 1;
        }
    }
    return 0;
}

/* Every sixteenth is too long for a page. */
static size_t value_bytes(uint32_t number) {
    if (number <= HISTORY_VALUES_SHORT) {
        return number == 1 ? 0 : 8 * number;
    }
    if (number % 16 == 0) {
        return 4000 + number * 977 % (HISTORY_VALUE_BYTES_MAX - 4000);
    }
    return sizeof number + number * 31 % (number % 4 == 0 ? 1500 : 120);
}

nq_bytes history__value(uint32_t number, uint8_t room[HISTORY_VALUE_BYTES_MAX]) {
    size_t bytes = value_bytes(number);
    memset(room, (int)(number & 0xff), bytes);
    if (bytes != 0) {
        memcpy(room, &number, sizeof number);
    }
    return nq_bytes_of(room, bytes);
}

uint32_t history__value_number(nq_bytes value) {
    static uint8_t room[HISTORY_VALUE_BYTES_MAX];
    uint32_t number = 1;
    if (value.size >= sizeof number) {
        memcpy(&number, value.data, sizeof number);
    }
    return nq_bytes_equal(value, history__value(number, room)) ? number : 0;
}

/* ---- States ---- */

void history__push_state(history_world *w, const oracle_state *state) {
    if (w->state_count == w->state_capacity) {
        w->state_capacity = 2 * w->state_capacity + 16;
        w->states = realloc(w->states, w->state_capacity * sizeof *w->states);
        if (w->states == NULL) {
            abort();
        }
    }
    w->states[w->state_count++] = *state;
}

void history__is_durable(history_world *w) {
    w->states[0] = w->states[w->state_count - 1];
    w->state_count = 1;
}
