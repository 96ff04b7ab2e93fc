/* Fake call: drives a service handler through the real call state machine over a transport made of
 * memory, single-threaded and deterministic. "Workers" run inside nq_fake_call_run.
 *
 *   nq_fake_call *fake = nq_fake_call_open(&method, service, NULL);
 *   nq_fake_call_send(fake, request);          the client's message
 *   nq_fake_call_run(fake);                    everything that can happen, happens
 *   assert_int_equal(nq_fake_call_message_count(fake), 1);
 *   assert_int_equal(nq_fake_call_code(fake), NQ_RPC_OK);
 *   nq_fake_call_close(fake);
 */
#ifndef NQ_TESTS_SUPPORT_FAKE_CALL_H
#define NQ_TESTS_SUPPORT_FAKE_CALL_H

#include "server/rpc/interceptor.h"

typedef struct nq_fake_call nq_fake_call;

/* Zero means the default in brackets. */
typedef struct nq_fake_options {
    const char *const *metadata; /* key, value, key, value, … NULL */
    const char *peer;            /* ["ipv4:127.0.0.1:1"] */
    int64_t deadline_ns;         /* [NQ_NO_DEADLINE] */
    bool holds_writes;           /* a write completes only by nq_fake_call_complete_write: a client
                                    that does not read */
    nq_error_encoder encode_error; /* [none] */
    void *encode_error_self;
} nq_fake_options;

/* The client opened the call; on_open has not run yet. */
nq_fake_call *nq_fake_call_open(const nq_method *method, void *service,
                                const nq_fake_options *options);

/* What the client does. Takes effect in nq_fake_call_run. */
void nq_fake_call_send(nq_fake_call *fake,
                       nq_bytes message); /* queued until the handler wants it */
void nq_fake_call_half_close(nq_fake_call *fake);
void nq_fake_call_go_away(nq_fake_call *fake); /* cancel, or the connection broke */
void nq_fake_call_pass_deadline(nq_fake_call *fake);
void nq_fake_call_complete_write(
    nq_fake_call *fake); /* with holds_writes: lets one write through */

/* Runs callbacks and "workers" until nothing is left to do. */
void nq_fake_call_run(nq_fake_call *fake);

/* What the client received so far. */
size_t nq_fake_call_message_count(const nq_fake_call *fake);
nq_bytes nq_fake_call_message(const nq_fake_call *fake, size_t index); /* valid until close */
bool nq_fake_call_has_status(const nq_fake_call *fake);
nq_rpc_code nq_fake_call_code(const nq_fake_call *fake); /* asserts has_status */
const char *nq_fake_call_text(const nq_fake_call *fake);
nq_bytes nq_fake_call_details(const nq_fake_call *fake);
nq_bytes nq_fake_call_trailer(const nq_fake_call *fake, const char *key); /* empty when absent */
nq_bytes nq_fake_call_header(const nq_fake_call *fake, const char *key);
bool nq_fake_call_is_done(const nq_fake_call *fake); /* on_done has returned */

/* The handler's side, for nq_call_wake, nq_call_cancel and the getters. */
nq_call *nq_fake_call_call(nq_fake_call *fake);

/* Goes away if still open, runs, frees. Asserts that on_done ran. */
void nq_fake_call_close(nq_fake_call *fake);

#endif
