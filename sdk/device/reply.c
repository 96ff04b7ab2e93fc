/* Reply: a gRPC response as it comes, in headers and pieces of body, into one message or a status.
 * Believes nothing: every number is bounded before it is used. */
#include <stdio.h>
#include <string.h>

#include "sdk/device/device_internal.h"

enum { HTTP_OK = 200, STATUS_MAX = 16, STATUS_UNKNOWN = 2 };

void nq__device_reply_init(nq__device_reply *reply, uint8_t *room, size_t room_bytes) {
    memset(reply, 0, sizeof *reply);
    reply->room = room;
    reply->room_bytes = room_bytes;
}

/* ---- Headers ---- */

static bool is_named(const char *wanted, const uint8_t *name, size_t name_bytes) {
    return strlen(wanted) == name_bytes && memcmp(wanted, name, name_bytes) == 0;
}

/* A small decimal number, or `otherwise`. */
static uint32_t read_number(const uint8_t *text, size_t bytes, uint32_t otherwise) {
    uint32_t number = 0;
    if (bytes == 0 || bytes > 3) {
        return otherwise;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return otherwise;
        }
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    return number;
}

static int hex_digit(uint8_t character) {
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    uint8_t lower = character | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Forgets the beginning of a character whose end did not fit. */
static size_t cut_at_character(const char *text, size_t bytes) {
    size_t start = bytes;
    while (start > 0 && bytes - start < 3 && ((uint8_t)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return bytes;
    }
    uint8_t lead = (uint8_t)text[start - 1];
    size_t wanted = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return bytes - (start - 1) < wanted ? start - 1 : bytes;
}

/* Percent-decoded, as gRPC sends it; what is not a valid escape stands for itself. */
static void read_message(nq__device_reply *reply, const uint8_t *value, size_t bytes) {
    size_t used = 0;
    size_t i = 0;
    while (i < bytes && used < sizeof reply->message - 1) {
        int high = value[i] == '%' && bytes - i > 2 ? hex_digit(value[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
        uint8_t byte = low >= 0 ? (uint8_t)(high * 16 + low) : value[i];
        i += low >= 0 ? 3 : 1;
        reply->message[used++] = byte == 0 ? '?' : (char)byte;
    }
    if (i < bytes) {
        used = cut_at_character(reply->message, used);
    }
    reply->message[used] = '\0';
}

void nq__device_reply_add_header(nq__device_reply *reply, const uint8_t *name, size_t name_bytes,
                                 const uint8_t *value, size_t value_bytes) {
    if (is_named(":status", name, name_bytes)) {
        reply->http_status = read_number(value, value_bytes, 0);
    } else if (is_named("grpc-status", name, name_bytes)) {
        uint32_t status = read_number(value, value_bytes, STATUS_UNKNOWN);
        reply->status = status <= STATUS_MAX ? status : STATUS_UNKNOWN;
        reply->has_status = true;
    } else if (is_named("grpc-message", name, name_bytes)) {
        read_message(reply, value, value_bytes);
    }
}

/* ---- Body ---- */

/* Big-endian, behind the flag; compression was not offered. */
static void read_prefix(nq__device_reply *reply) {
    const uint8_t *prefix = reply->prefix;
    reply->message_bytes = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
                           (uint32_t)prefix[3] << 8 | prefix[4];
    reply->is_malformed = reply->is_malformed || prefix[0] != 0;
    reply->is_too_large = reply->message_bytes > reply->room_bytes;
}

void nq__device_reply_add_data(nq__device_reply *reply, const uint8_t *data, size_t bytes) {
    while (bytes > 0 && reply->prefix_bytes < NQ__DEVICE_PREFIX_BYTES) {
        reply->prefix[reply->prefix_bytes++] = *data++;
        bytes--;
        if (reply->prefix_bytes == NQ__DEVICE_PREFIX_BYTES) {
            read_prefix(reply);
        }
    }
    if (bytes == 0 || reply->is_too_large || reply->is_malformed) {
        return;
    }
    if (bytes > reply->message_bytes - reply->bytes) {
        reply->is_malformed = true; /* a unary call is answered by one message */
        return;
    }
    memcpy(reply->room + reply->bytes, data, bytes);
    reply->bytes += bytes;
}

/* ---- The end ---- */

static nq_device_code refuse(const nq__device_reply *reply, nq_device_error *error) {
    (void)nq__device_fail(error, NQ_DEVICE_REFUSED, reply->message);
    error->server_code = reply->status;
    return NQ_DEVICE_REFUSED;
}

nq_device_code nq__device_reply_end(const nq__device_reply *reply, nq_device_error *error) {
    if (reply->http_status != HTTP_OK) {
        char text[48];
        (void)snprintf(text, sizeof text, "HTTP status %u: no gRPC server",
                       (unsigned)reply->http_status);
        return nq__device_fail(error, NQ_DEVICE_BAD_REPLY, text);
    }
    if (reply->has_status && reply->status != 0) {
        return refuse(reply, error);
    }
    if (reply->is_too_large) {
        char text[64];
        (void)snprintf(text, sizeof text, "the reply is %u bytes, at most %u fit",
                       (unsigned)reply->message_bytes, (unsigned)reply->room_bytes);
        return nq__device_fail(error, NQ_DEVICE_REPLY_TOO_LARGE, text);
    }
    if (!reply->has_status) {
        return nq__device_fail(error, NQ_DEVICE_BAD_REPLY, "the stream ended without a status");
    }
    if (reply->is_malformed || reply->prefix_bytes < NQ__DEVICE_PREFIX_BYTES ||
        reply->bytes < reply->message_bytes) {
        return nq__device_fail(error, NQ_DEVICE_BAD_REPLY, "the reply is not one whole message");
    }
    return NQ_DEVICE_OK;
}
