/* Device: the device client before a server that lies. The first byte chooses what lies: a reply's
 * message to one of the decoders, a reply's headers and body, or everything after HTTP/2's
 * greeting. Whatever it is, nothing is read or written that is not the client's, and the pool is
 * empty after. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/device/device_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIMEOUT_MS = 100, ROOM_BYTES = 64 };

/* ---- Messages ---- */

static void read_row(void *user, const nq_device_value *values, size_t count) {
    volatile uint64_t *sum = user;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = values[i].bytes.data;
        bool has_bytes = values[i].kind == NQ_DEVICE_TEXT || values[i].kind == NQ_DEVICE_BYTES ||
                         values[i].kind == NQ_DEVICE_UUID;
        for (size_t at = 0; has_bytes && at < values[i].bytes.size; at++) {
            *sum += bytes[at];
        }
        *sum += (uint64_t)values[i].kind;
    }
}

static void decode(uint8_t which, const uint8_t *data, size_t size) {
    volatile uint64_t sum = 0;
    const nq_device_statement statement = {.on_row = read_row, .user = (void *)(uintptr_t)&sum};
    nq_device_error error = {0};
    nq_device_published published;
    uint64_t rows_affected;
    bool is_serving;
    switch (which) {
    case 0:
        (void)nq__device_decode_publish(data, size, &published, &error);
        break;
    case 1:
        (void)nq__device_decode_execute(data, size, &statement, &rows_affected, &error);
        break;
    default:
        (void)nq__device_decode_health(data, size, &is_serving, &error);
    }
}

/* ---- A reply's headers and body ---- */

/* Pieces, each a kind, a length and that many bytes. */
static void assemble(const uint8_t *data, size_t size) {
    static const char *const names[] = {":status", "grpc-status", "grpc-message", "other"};
    uint8_t room[ROOM_BYTES];
    nq__device_reply reply;
    nq_device_error error = {0};
    nq__device_reply_init(&reply, room, sizeof room);
    while (size >= 2) {
        size_t bytes = data[1] < size - 2 ? data[1] : size - 2;
        const char *name = names[data[0] % 4];
        if (data[0] & 0x80) {
            nq__device_reply_add_data(&reply, data + 2, bytes);
        } else {
            nq__device_reply_add_header(&reply, (const uint8_t *)name, strlen(name), data + 2,
                                        bytes);
        }
        data += 2 + bytes;
        size -= 2 + bytes;
    }
    if (nq__device_reply_end(&reply, &error) == NQ_DEVICE_OK && reply.bytes > sizeof room) {
        abort();
    }
    if (memchr(error.message, '\0', sizeof error.message) == NULL) {
        abort();
    }
}

/* ---- A connection ---- */

typedef struct liar {
    const uint8_t *words;
    size_t left;
    uint32_t now_ms;
} liar;

static int hear(void *self, const uint8_t *data, size_t bytes) {
    (void)self;
    (void)data;
    return (int)bytes;
}

static int say(void *self, uint8_t *room, size_t bytes, uint32_t timeout_ms) {
    liar *own = self;
    bytes = bytes < own->left ? bytes : own->left;
    memcpy(room, own->words, bytes);
    own->words += bytes;
    own->left -= bytes;
    own->now_ms += bytes == 0 ? timeout_ms : 0;
    return (int)bytes;
}

static uint32_t tell_time(void *self) {
    return ((liar *)self)->now_ms;
}

static void converse(const uint8_t *data, size_t size) {
    static const uint8_t greeting[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
    static nq_device device;
    volatile uint64_t sum = 0;
    liar own = {.words = greeting, .left = sizeof greeting};
    const nq_device_transport transport = {
        .self = &own, .send = hear, .receive = say, .now_ms = tell_time};
    const nq_device_statement statement = {
        .sql = "SELECT 1", .on_row = read_row, .user = (void *)(uintptr_t)&sum};
    const nq_device_message message = {.channel = "c", .payload = "1", .payload_bytes = 1};
    if (nq_device_open(&device, &transport, "server:1", TIMEOUT_MS) != NQ_DEVICE_OK) {
        abort();
    }
    own.words = data;
    own.left = size;
    (void)nq_device_execute(&device, &statement, TIMEOUT_MS, NULL);
    (void)nq_device_publish(&device, &message, TIMEOUT_MS, NULL);
    (void)nq_device_poll(&device, 0);
    nq_device_close(&device);
    if (device.pool.used_bytes != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    uint8_t which = data[0] % 5;
    if (which < 3) {
        decode(which, data + 1, size - 1);
    } else if (which == 3) {
        assemble(data + 1, size - 1);
    } else {
        converse(data + 1, size - 1);
    }
    return 0;
}
