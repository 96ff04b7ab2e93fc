/* A thermometer: keeps each reading in a table, tells whoever listens, and sees to it that neither
 * happens twice when the network fails in between.
 *
 *     example HOST PORT */
#include <stdio.h>
#include <string.h>

#include "sdk/device/nq_device.h"
#include "sdk/device/nq_device_posix.h"

enum { TIMEOUT_MS = 5000, READINGS = 3 };

static nq_device device; /* all the memory there is */

/* Your sensor. */
static double read_celsius(int turn) {
    return 20.0 + 0.5 * turn;
}

static int fail(const char *what) {
    const nq_device_error *error = nq_device_last_error(&device);
    fprintf(stderr, "%s: %s (code %d, server %u)\n", what, error->message, (int)error->code,
            (unsigned)error->server_code);
    nq_device_close(&device);
    return 1;
}

static nq_device_code create_table(void) {
    const nq_device_statement statement = {
        .sql = "CREATE TABLE IF NOT EXISTS thermometer (turn INTEGER, celsius DOUBLE PRECISION)"};
    return nq_device_execute(&device, &statement, TIMEOUT_MS, NULL);
}

/* The request id makes a retry harmless: give each reading one of its own, and keep it until the
 * answer has come. */
static nq_device_code store(int turn, double celsius, const char *id) {
    const nq_device_value values[] = {
        {.kind = NQ_DEVICE_INT, .integer = turn},
        {.kind = NQ_DEVICE_DOUBLE, .number = celsius},
    };
    const nq_device_statement statement = {
        .sql = "INSERT INTO thermometer VALUES ($1, $2)",
        .parameters = values,
        .parameter_count = 2,
        .request_id = id,
    };
    return nq_device_execute(&device, &statement, TIMEOUT_MS, NULL);
}

static nq_device_code tell(double celsius, const char *id) {
    char text[32];
    int bytes = snprintf(text, sizeof text, "{\"celsius\":%.1f}", celsius);
    const nq_device_message message = {.channel = "sensors.kitchen",
                                       .payload = text,
                                       .payload_bytes = (size_t)bytes,
                                       .message_id = id};
    return nq_device_publish(&device, &message, TIMEOUT_MS, NULL);
}

static void print_average(void *user, const nq_device_value *values, size_t count) {
    (void)user;
    if (count == 1 && values[0].kind == NQ_DEVICE_DOUBLE) {
        printf("average %.2f\n", values[0].number);
    }
}

int main(int count, char **words) {
    nq_device_posix socket;
    nq_device_transport transport;
    const nq_device_statement average = {.sql = "SELECT avg(celsius) FROM thermometer",
                                         .on_row = print_average};
    if (count != 3 || !nq_device_posix_connect(&socket, words[1], words[2], &transport)) {
        fprintf(stderr, "usage: example HOST PORT\n");
        return 2;
    }
    if (nq_device_open(&device, &transport, words[1], TIMEOUT_MS) != NQ_DEVICE_OK ||
        create_table() != NQ_DEVICE_OK) {
        return fail("open");
    }
    for (int turn = 0; turn < READINGS; turn++) {
        char id[32];
        double celsius = read_celsius(turn);
        (void)snprintf(id, sizeof id, "thermometer-1-%d", turn);
        if (store(turn, celsius, id) != NQ_DEVICE_OK || tell(celsius, id) != NQ_DEVICE_OK) {
            return fail("reading");
        }
    }
    if (nq_device_execute(&device, &average, TIMEOUT_MS, NULL) != NQ_DEVICE_OK) {
        return fail("average");
    }
    nq_device_close(&device);
    nq_device_posix_close(&socket);
    return 0;
}
