/* Reflection and health: whatever a client asks gets an answer or a refusal, and whatever is
 * embedded as a descriptor set is indexed or refused. The first byte chooses; messages are cut at
 * 0xff. */
#include <stdlib.h>

#include "server/rpc/health.h"
#include "server/rpc/reflection.h"
#include "tests/support/fake_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* file "a.proto", package "p", message M { field f } with an extension 7 of it; imports itself. */
static const uint8_t known[] = "\x0a\x2c\x0a\x07"
                               "a.proto"
                               "\x12\x01"
                               "p"
                               "\x1a\x07"
                               "a.proto"
                               "\x22\x08\x0a\x01"
                               "M"
                               "\x12\x03\x0a\x01"
                               "f"
                               "\x3a\x0b\x0a\x01"
                               "e"
                               "\x12\x04"
                               ".p.M"
                               "\x18\x07";

static void check(bool is_ok) {
    if (!is_ok) {
        abort();
    }
}

static void ask(const nq_method *method, void *service, const uint8_t *data, size_t size) {
    nq_fake_call *fake = nq_fake_call_open(method, service, NULL);
    size_t start = 0, sent = 0;
    for (size_t i = 0; i <= size && sent < 16; i++) {
        if (i == size || data[i] == 0xff) {
            nq_fake_call_send(fake, nq_bytes_of(data + start, i - start));
            start = i + 1;
            sent++;
        }
    }
    nq_fake_call_half_close(fake);
    nq_fake_call_run(fake);
    bool is_watch = method->shape == NQ_METHOD_SERVER_STREAM;
    check(is_watch || nq_fake_call_has_status(fake));
    check(nq_fake_call_message_count(fake) <= sent);
    nq_fake_call_close(fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static nq_reflection *reflection;
    static nq_health *health;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (reflection == NULL) {
        check(nq_reflection_create(&ctx, nq_bytes_of(known, sizeof(known) - 1), &reflection) ==
              NQ_OK);
        check(nq_reflection_add_service(reflection, "p.S"));
        health = nq_health_create();
        check(health != NULL && nq_health_add(health, "p.S"));
    }
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        ask(&nq_reflection_methods[0], reflection, data + 1, size - 1);
        break;
    case 1:
        ask(&nq_health_methods[data[0] / 3 % nq_health_method_count], health, data + 1, size - 1);
        break;
    default: {
        nq_reflection *other = NULL;
        if (nq_reflection_create(&ctx, nq_bytes_of(data + 1, size - 1), &other) == NQ_OK) {
            ask(&nq_reflection_methods[0], other, known, sizeof(known) - 1);
        }
        nq_reflection_destroy(other);
    }
    }
    return 0;
}
