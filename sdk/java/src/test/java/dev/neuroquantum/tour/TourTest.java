package dev.neuroquantum.tour;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.neuroquantum.v1.Value;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against the server at NQ_SERVER_ADDR; skipped without one. */
class TourTest {
    private final String name = "java_" + System.nanoTime();
    private Tour tour;

    @BeforeEach
    void connect() {
        String address = System.getenv("NQ_SERVER_ADDR");
        assumeTrue(address != null && !address.isEmpty(), "NQ_SERVER_ADDR is not set");
        tour = new Tour(address);
    }

    @AfterEach
    void disconnect() throws Exception {
        if (tour != null) {
            tour.close();
        }
    }

    @Test
    void aQueryAnswersTypedRows() {
        List<Object[]> rows = tour.query(10_000, "SELECT $1 + 2, 'x', NULL", Value.newBuilder().setIntValue(40).build());
        assertArrayEquals(new Object[] {42L, "x", null}, rows.get(0));
    }

    @Test
    void anErrorCarriesItsReason() throws Exception {
        StatusRuntimeException failure =
                assertThrows(StatusRuntimeException.class, () -> tour.query(10_000, "SELECT 1 FORM x WHERE"));
        assertEquals(Status.Code.INVALID_ARGUMENT, failure.getStatus().getCode());
        assertEquals("SQL_SYNTAX", Tour.reason(failure).orElse(""));
    }

    @Test
    void aPausedStreamStopsAndLosesNothing() throws Exception {
        assertEquals(20_000, tour.load(name, 20_000));
        Tour.Paced paced = tour.streamWithPause("SELECT id FROM " + name, 2, 4, 500);
        assertEquals(20_000, paced.rows());
        assertTrue(paced.batches() >= 40, () -> paced.batches() + " batches of at most 500 rows");
        // The window and the batch on its way.
        assertTrue(paced.whilePaused() <= 3, () -> paced.whilePaused() + " batches came while paused");
    }

    @Test
    void aSubscriptionBothWaysDeliversInOrder() throws Exception {
        List<String> payloads = tour.subscribe(name, 50, 5);
        assertEquals(50, payloads.size());
        for (int i = 0; i < 50; i++) {
            assertEquals(Integer.toString(i), payloads.get(i));
        }
    }

    @Test
    void aDeadlineStopsTheStatement() throws Exception {
        tour.load(name, 20_000);
        String slow = "SELECT count(*) FROM %1$s a JOIN %1$s b ON a.id < b.id".formatted(name);
        StatusRuntimeException failure = assertThrows(StatusRuntimeException.class, () -> tour.query(300, slow));
        assertEquals(Status.Code.DEADLINE_EXCEEDED, failure.getStatus().getCode());
    }
}
