/* What the device client needs, as sdk/device/README.md states it: the struct, how deep its stack
 * goes, and nothing from malloc but nghttp2's list of callbacks while it opens. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/device/nq_device.h"
#include "sdk/device/nq_device_posix.h"

enum {
    TIMEOUT_MS = 30000,
    STACK_BYTES = 256 << 10,
    PAINT = 0xa5,
    /* The README's figures. */
    STRUCT_BYTES_MAX = 36 << 10,
    POOL_BYTES_MAX = 29 << 10,
    CALL_STACK_BYTES_MAX = 6 << 10,
};

/* ---- malloc, counted for the thread that asks for it ---- */

static _Thread_local bool is_counted;
static _Thread_local uint32_t taken_count;
static _Thread_local uint32_t given_back_count;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { COUNTS_MALLOC = true };

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);

void *malloc(size_t bytes) {
    taken_count += is_counted;
    return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
    taken_count += is_counted;
    return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
    taken_count += is_counted;
    return __libc_realloc(memory, bytes);
}
void free(void *memory) {
    given_back_count += is_counted && memory != NULL;
    __libc_free(memory);
}
#else
enum { COUNTS_MALLOC = false };
#endif

/* ---- The device's whole life ---- */

static nq_device device;
static nq_device_transport over_tcp;
static uint32_t taken_by_open, given_back_by_open, taken_by_calls;
static nq_device_code worst;

static void note(nq_device_code code, nq_device_code expected) {
    worst = code == expected ? worst : code;
}

static void ignore_row(void *user, const nq_device_value *values, size_t count) {
    (void)user;
    (void)values;
    (void)count;
}

static void execute(const char *sql, const nq_device_value *values, size_t count,
                    nq_device_code expected) {
    const nq_device_statement statement = {
        .sql = sql, .parameters = values, .parameter_count = count, .on_row = ignore_row};
    note(nq_device_execute(&device, &statement, TIMEOUT_MS, NULL), expected);
}

/* Everything at its largest, and each way to fail. */
static void *live(void *unused) {
    static const uint8_t payload[NQ_DEVICE_PAYLOAD_BYTES_MAX];
    static nq_device_value values[NQ_DEVICE_PARAMETERS_MAX];
    static const char text[] = "012345678901234567890123456789012345678901234567890123456789012";
    const nq_device_message message = {.channel = "sensors.kitchen.oven.left.top.back.thermometer",
                                       .payload = payload,
                                       .payload_bytes = sizeof payload,
                                       .key = "kitchen",
                                       .message_id = "0123456789"};
    bool is_serving = false;
    (void)unused;
    is_counted = true;
    note(nq_device_open(&device, &over_tcp, getenv("NQ_SERVER_ADDR"), TIMEOUT_MS), NQ_DEVICE_OK);
    taken_by_open = taken_count;
    given_back_by_open = given_back_count;
    for (int i = 0; i < NQ_DEVICE_PARAMETERS_MAX; i++) {
        values[i] = (nq_device_value){.kind = NQ_DEVICE_TEXT, .bytes = {text, sizeof text - 1}};
    }
    for (int turn = 0; turn < 20; turn++) {
        note(nq_device_check_health(&device, TIMEOUT_MS, &is_serving), NQ_DEVICE_OK);
        note(nq_device_publish(&device, &message, TIMEOUT_MS, NULL), NQ_DEVICE_OK);
        execute("SELECT length($1 || $2 || $3 || $4 || $5 || $6 || $7 || $8), $1, $2", values, 8,
                NQ_DEVICE_OK);
        execute("SELECT sensr FROM nowhere", NULL, 0, NQ_DEVICE_REFUSED);
        execute("SELECT g FROM generate_series(1, 5000) AS s(g)", NULL, 0,
                NQ_DEVICE_REPLY_TOO_LARGE);
    }
    nq_device_close(&device);
    taken_by_calls = taken_count - taken_by_open;
    is_counted = false;
    return NULL;
}

static void *do_nothing(void *unused) {
    return unused;
}

/* How deep `run` went: its thread's stack is painted before, and looked at afterwards. */
static size_t stack_bytes_of(void *(*run)(void *)) {
    pthread_t thread;
    pthread_attr_t attributes;
    uint8_t *stack = aligned_alloc(4096, STACK_BYTES);
    size_t untouched = 0;
    memset(stack, PAINT, STACK_BYTES);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    while (untouched < STACK_BYTES && stack[untouched] == PAINT) {
        untouched++;
    }
    free(stack);
    return STACK_BYTES - untouched;
}

static void memory_is_what_the_readme_says(void **state) {
    nq_device_posix own_socket;
    char host[64];
    (void)state;
    const char *address = getenv("NQ_SERVER_ADDR");
    const char *colon = strrchr(address, ':');
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    assert_true(nq_device_posix_connect(&own_socket, host, colon + 1, &over_tcp));
    size_t base_bytes = stack_bytes_of(do_nothing);
    size_t stack_bytes = stack_bytes_of(live) - base_bytes;
    nq_device_posix_close(&own_socket);
    assert_int_equal(worst, NQ_DEVICE_OK);
    print_message("struct %zu bytes, of which the pool %d, used %zu; stack %zu bytes; malloc %u "
                  "blocks to open, %u later\n",
                  sizeof device, NQ_DEVICE_POOL_BYTES, nq_device_pool_bytes_used(&device),
                  stack_bytes, taken_by_open, taken_by_calls);
    assert_in_range(sizeof device, 1, STRUCT_BYTES_MAX);
    assert_in_range(nq_device_pool_bytes_used(&device), 1, POOL_BYTES_MAX);
    assert_int_equal(device.pool.used_bytes, 0);
    if (COUNTS_MALLOC) {
        assert_int_equal(taken_by_open, given_back_by_open);
        assert_int_equal(taken_by_open, 1);
        assert_int_equal(taken_by_calls, 0);
        assert_in_range(stack_bytes, 1, CALL_STACK_BYTES_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_what_the_readme_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
