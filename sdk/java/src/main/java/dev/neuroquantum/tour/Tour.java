package dev.neuroquantum.tour;

import com.google.protobuf.ByteString;
import dev.neuroquantum.v1.Ack;
import dev.neuroquantum.v1.AckMode;
import dev.neuroquantum.v1.ColumnMeta;
import dev.neuroquantum.v1.DataType;
import dev.neuroquantum.v1.ExecuteRequest;
import dev.neuroquantum.v1.ExecuteResponse;
import dev.neuroquantum.v1.ExecuteStreamRequest;
import dev.neuroquantum.v1.Flow;
import dev.neuroquantum.v1.FlowLimits;
import dev.neuroquantum.v1.IngestHeader;
import dev.neuroquantum.v1.IngestRequest;
import dev.neuroquantum.v1.IngestResponse;
import dev.neuroquantum.v1.InteractRequest;
import dev.neuroquantum.v1.InteractResponse;
import dev.neuroquantum.v1.Message;
import dev.neuroquantum.v1.Parameter;
import dev.neuroquantum.v1.PubSubServiceGrpc;
import dev.neuroquantum.v1.PublishRequest;
import dev.neuroquantum.v1.QueryOptions;
import dev.neuroquantum.v1.QueryServiceGrpc;
import dev.neuroquantum.v1.ResultFormat;
import dev.neuroquantum.v1.Row;
import dev.neuroquantum.v1.RowBatch;
import dev.neuroquantum.v1.Statement;
import dev.neuroquantum.v1.StreamOptions;
import dev.neuroquantum.v1.StreamServiceGrpc;
import dev.neuroquantum.v1.SubscribeOptions;
import dev.neuroquantum.v1.SubscribeRequest;
import dev.neuroquantum.v1.SubscribeResponse;
import dev.neuroquantum.v1.Type;
import dev.neuroquantum.v1.Value;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** What a Java program does with NeuroQuantumDB: query, a stream with a pause, publish and subscribe. */
public final class Tour implements AutoCloseable {
    private final ManagedChannel channel;

    /** Connects to host:port with the first call. */
    public Tour(String address) {
        channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    }

    @Override
    public void close() throws InterruptedException {
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }

    // ---- Statements ----

    /** Runs one statement, at most for `timeoutMs`, and returns its rows. */
    public List<Object[]> query(long timeoutMs, String sql, Value... parameters) {
        Statement.Builder statement = Statement.newBuilder().setSql(sql);
        for (int i = 0; i < parameters.length; i++) {
            statement.addParameters(Parameter.newBuilder().setPosition(i + 1).setValue(parameters[i]));
        }
        ExecuteResponse response = QueryServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeoutMs, TimeUnit.MILLISECONDS)
                .execute(ExecuteRequest.newBuilder()
                        .setStatement(statement)
                        .setOptions(QueryOptions.newBuilder().setFormat(ResultFormat.RESULT_FORMAT_COLUMNS))
                        .build());
        return response.hasColumnBatch()
                ? Rows.decode(response.getColumnsList(), response.getColumnBatch())
                : List.of();
    }

    /** The server's ErrorInfo.reason for a failed call; empty when it gave none. */
    public static Optional<String> reason(StatusRuntimeException failure) throws Exception {
        com.google.rpc.Status status = StatusProto.fromThrowable(failure);
        for (com.google.protobuf.Any detail : status.getDetailsList()) {
            if (detail.is(com.google.rpc.ErrorInfo.class)) {
                return Optional.of(detail.unpack(com.google.rpc.ErrorInfo.class).getReason());
            }
        }
        return Optional.empty();
    }

    /** Makes a table of the numbers below `count` in one Ingest call; returns how many rows were committed. */
    public long load(String table, int count) throws Exception {
        query(30_000, "CREATE TABLE " + table + " (id BIGINT PRIMARY KEY)");
        CompletableFuture<IngestResponse> answer = new CompletableFuture<>();
        StreamObserver<IngestRequest> requests =
                QueryServiceGrpc.newStub(channel).ingest(new Collect<>(answer));
        requests.onNext(IngestRequest.newBuilder()
                .setHeader(IngestHeader.newBuilder()
                        .setTable(table)
                        .addColumns(ColumnMeta.newBuilder()
                                .setName("id")
                                .setType(Type.newBuilder().setDataType(DataType.DATA_TYPE_INT64))))
                .build());
        RowBatch.Builder rows = RowBatch.newBuilder();
        for (int i = 0; i < count; i++) {
            rows.addRows(Row.newBuilder().addValues(Value.newBuilder().setIntValue(i)));
        }
        requests.onNext(IngestRequest.newBuilder().setRows(rows).build());
        requests.onCompleted();
        return get(answer).getRowsCommitted();
    }

    private static final class Collect<T> implements StreamObserver<T> {
        private final CompletableFuture<T> answer;
        private T last;

        Collect(CompletableFuture<T> answer) {
            this.answer = answer;
        }

        @Override
        public void onNext(T response) {
            last = response;
        }

        @Override
        public void onError(Throwable failure) {
            answer.completeExceptionally(failure);
        }

        @Override
        public void onCompleted() {
            answer.complete(last);
        }
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        try {
            return future.get(30, TimeUnit.SECONDS);
        } catch (ExecutionException wrapped) {
            throw wrapped.getCause() instanceof Exception cause ? cause : wrapped;
        }
    }

    // ---- A stream with a pause ----

    /** What a paced stream brought. */
    public record Paced(long rows, long batches, long whilePaused) {}

    /**
     * Reads a result over Interact with a window of `window` batches of 500 rows. After `pauseAfter` batches the
     * server is paused for `waitMs`, then goes on to the end.
     */
    public Paced streamWithPause(String sql, int window, long pauseAfter, long waitMs) throws Exception {
        PacedReader reader = new PacedReader(window, pauseAfter);
        StreamObserver<InteractRequest> controls = StreamServiceGrpc.newStub(channel).interact(reader);
        reader.open(controls, sql);
        if (!reader.paused.await(30, TimeUnit.SECONDS)) {
            get(reader.done); // says why
        }
        long before = reader.batches.get();
        Thread.sleep(waitMs);
        long whilePaused = reader.batches.get() - before;
        reader.send(InteractRequest.newBuilder().setPause(false).build());
        get(reader.done);
        return new Paced(reader.rows.get(), reader.batches.get(), whilePaused);
    }

    /** Grants ahead of what it has taken, and pauses once. */
    private static final class PacedReader implements StreamObserver<InteractResponse> {
        final CompletableFuture<Void> done = new CompletableFuture<>();
        final CountDownLatch paused = new CountDownLatch(1);
        final AtomicLong rows = new AtomicLong();
        final AtomicLong batches = new AtomicLong();
        private final int window;
        private final long pauseAfter;
        private StreamObserver<InteractRequest> controls;

        PacedReader(int window, long pauseAfter) {
            this.window = window;
            this.pauseAfter = pauseAfter;
        }

        synchronized void open(StreamObserver<InteractRequest> observer, String sql) {
            controls = observer;
            controls.onNext(InteractRequest.newBuilder()
                    .setStart(ExecuteStreamRequest.newBuilder()
                            .setStatement(Statement.newBuilder().setSql(sql))
                            .setStream(StreamOptions.newBuilder()
                                    .setBatchRows(500)
                                    .setManualGrant(true)
                                    .setInitialGrant(window)))
                    .build());
        }

        synchronized void send(InteractRequest request) {
            controls.onNext(request);
        }

        @Override
        public void onNext(InteractResponse response) {
            if (!response.getEvent().hasBatch()) {
                return;
            }
            long number = response.getEvent().getBatch().getNumber();
            rows.addAndGet(response.getEvent().getBatch().getRowCount());
            batches.set(number);
            send(InteractRequest.newBuilder().setFlow(Flow.newBuilder().setGrantThrough(number + window)).build());
            if (number == pauseAfter) {
                send(InteractRequest.newBuilder().setPause(true).build());
                paused.countDown();
            }
        }

        @Override
        public void onError(Throwable failure) {
            done.completeExceptionally(failure);
            paused.countDown();
        }

        @Override
        public void onCompleted() {
            done.complete(null);
            paused.countDown();
        }
    }

    // ---- Publish and subscribe, both ways ----

    /**
     * Subscribes to channel.*, publishes `count` messages once the server has confirmed, acknowledges each batch with
     * at most `window` messages unacknowledged, and returns the payloads in order of arrival.
     */
    public List<String> subscribe(String name, int count, int window) throws Exception {
        Receiver receiver = new Receiver(count);
        StreamObserver<SubscribeRequest> controls = PubSubServiceGrpc.newStub(channel).subscribe(receiver);
        receiver.open(controls, name + ".*", window);
        get(receiver.confirmed);
        PubSubServiceGrpc.PubSubServiceBlockingStub publisher = PubSubServiceGrpc.newBlockingStub(channel);
        for (int i = 0; i < count; i++) {
            publisher.publish(PublishRequest.newBuilder()
                    .addMessages(Message.newBuilder()
                            .setChannel(name + ".a")
                            .setPayload(ByteString.copyFromUtf8(Integer.toString(i))))
                    .build());
        }
        List<String> payloads = get(receiver.received);
        controls.onNext(SubscribeRequest.newBuilder().setDrain(true).build());
        return payloads;
    }

    private static final class Receiver implements StreamObserver<SubscribeResponse> {
        final CompletableFuture<Void> confirmed = new CompletableFuture<>();
        final CompletableFuture<List<String>> received = new CompletableFuture<>();
        private final List<String> payloads = new ArrayList<>();
        private final int count;
        private StreamObserver<SubscribeRequest> controls;

        Receiver(int count) {
            this.count = count;
        }

        synchronized void open(StreamObserver<SubscribeRequest> observer, String pattern, int window) {
            controls = observer;
            controls.onNext(SubscribeRequest.newBuilder()
                    .setOpen(SubscribeOptions.newBuilder()
                            .addPatterns(pattern)
                            .setAckMode(AckMode.ACK_MODE_CUMULATIVE)
                            .setLimits(FlowLimits.newBuilder().setMaxOutstandingMessages(window)))
                    .build());
        }

        @Override
        public synchronized void onNext(SubscribeResponse response) {
            if (response.hasState()) {
                confirmed.complete(null);
            }
            for (Message message : response.getMessagesList()) {
                payloads.add(message.getPayload().toStringUtf8());
            }
            if (response.getMessagesCount() > 0) {
                long through = response.getFirstDeliveryId() + response.getMessagesCount() - 1;
                controls.onNext(SubscribeRequest.newBuilder()
                        .setAck(Ack.newBuilder().setThroughDeliveryId(through))
                        .build());
            }
            if (payloads.size() >= count) {
                received.complete(List.copyOf(payloads));
            }
        }

        @Override
        public void onError(Throwable failure) {
            confirmed.completeExceptionally(failure);
            received.completeExceptionally(failure);
        }

        @Override
        public synchronized void onCompleted() {
            received.complete(List.copyOf(payloads));
        }
    }

    public static void main(String[] arguments) throws Exception {
        String name = "tour_java_" + System.nanoTime();
        try (Tour tour = new Tour(arguments.length > 0 ? arguments[0] : "localhost:50051")) {
            System.out.println("1 + 1 = " + tour.query(10_000, "SELECT 1 + 1").get(0)[0]);
            tour.load(name, 20_000);
            Paced paced = tour.streamWithPause("SELECT id FROM " + name, 2, 4, 300);
            System.out.printf("streamed %d rows in %d batches; %d came while paused%n",
                    paced.rows(), paced.batches(), paced.whilePaused());
            System.out.println("received " + tour.subscribe(name, 20, 5).size() + " messages");
            tour.query(10_000, "DROP TABLE " + name);
        }
    }
}
