// Tour: what a Go program does with NeuroQuantumDB. Query, a stream with a pause, publish and subscribe.
//
//	go run ./examples/tour localhost:50051
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"neuroquantum.dev/go/neuroquantum"
	nqv1 "neuroquantum.dev/go/neuroquantum/v1"
)

// statement is SQL with positional parameters.
func statement(sql string, parameters ...*nqv1.Value) *nqv1.Statement {
	s := &nqv1.Statement{Source: &nqv1.Statement_Sql{Sql: sql}}
	for i, value := range parameters {
		s.Parameters = append(s.Parameters, &nqv1.Parameter{Position: uint32(i + 1), Value: value})
	}
	return s
}

// query runs one statement and returns its rows.
func query(ctx context.Context, conn grpc.ClientConnInterface, sql string, parameters ...*nqv1.Value) ([][]any, error) {
	response, err := nqv1.NewQueryServiceClient(conn).Execute(ctx, &nqv1.ExecuteRequest{
		Statement: statement(sql, parameters...),
		Options:   &nqv1.QueryOptions{Format: nqv1.ResultFormat_RESULT_FORMAT_COLUMNS},
	})
	if err != nil || response.GetColumnBatch() == nil {
		return nil, err
	}
	return neuroquantum.Rows(response.GetColumns(), response.GetColumnBatch())
}

// paced reads a stream over Interact with a window of `window` batches; after `pauseAfter` of them it pauses the
// server, waits, and returns how many more came meanwhile before it goes on to the end.
type paced struct {
	rows        int64
	batches     uint64
	whilePaused uint64
}

func streamWithPause(ctx context.Context, conn grpc.ClientConnInterface, sql string, window, pauseAfter uint64, wait time.Duration) (result paced, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := nqv1.NewStreamServiceClient(conn).Interact(ctx)
	if err != nil {
		return result, err
	}
	start := &nqv1.ExecuteStreamRequest{
		Statement: statement(sql),
		Stream:    &nqv1.StreamOptions{BatchRows: 500, ManualGrant: true, InitialGrant: window},
	}
	if err := call.Send(&nqv1.InteractRequest{Request: &nqv1.InteractRequest_Start{Start: start}}); err != nil {
		return result, err
	}
	events := make(chan *nqv1.StreamEvent)
	failed := make(chan error, 1)
	go func() {
		defer close(events)
		for {
			response, err := call.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- response.GetEvent():
			case <-ctx.Done():
				return
			}
		}
	}()
	take := func(event *nqv1.StreamEvent) error {
		batch := event.GetBatch()
		if batch == nil {
			return nil
		}
		result.batches = batch.GetNumber()
		result.rows += int64(batch.GetRowCount())
		return control(call, &nqv1.InteractRequest{Request: &nqv1.InteractRequest_Flow{
			Flow: &nqv1.Flow{GrantThrough: batch.GetNumber() + window}}})
	}
	for event := range events {
		if err := take(event); err != nil {
			return result, err
		}
		if event.GetBatch().GetNumber() == pauseAfter {
			if err := pause(call, events, take, &result, wait); err != nil {
				return result, err
			}
		}
	}
	if err := <-failed; !errors.Is(err, io.EOF) {
		return result, err
	}
	return result, nil
}

// control sends one control. io.EOF says that the server has ended the call; how, the receiving side finds out.
func control(call nqv1.StreamService_InteractClient, request *nqv1.InteractRequest) error {
	if err := call.Send(request); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// pause stops the server, takes in what was on its way, and lets it go on.
func pause(call nqv1.StreamService_InteractClient, events <-chan *nqv1.StreamEvent, take func(*nqv1.StreamEvent) error, result *paced, wait time.Duration) error {
	if err := control(call, &nqv1.InteractRequest{Request: &nqv1.InteractRequest_Pause{Pause: true}}); err != nil {
		return err
	}
	before := result.batches
	timer := time.After(wait)
	for {
		select {
		case event, open := <-events:
			if !open {
				return nil
			}
			if err := take(event); err != nil {
				return err
			}
		case <-timer:
			result.whilePaused = result.batches - before
			return control(call, &nqv1.InteractRequest{Request: &nqv1.InteractRequest_Pause{Pause: false}})
		}
	}
}

// subscribe opens a subscription both ways, publishes `count` messages once the server has confirmed it, and
// acknowledges each, with at most `window` unacknowledged; it returns the payloads in order of arrival.
func subscribe(ctx context.Context, conn grpc.ClientConnInterface, channel string, count int, window uint64) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := nqv1.NewPubSubServiceClient(conn)
	call, err := client.Subscribe(ctx)
	if err != nil {
		return nil, err
	}
	options := &nqv1.SubscribeOptions{
		Patterns: []string{channel + ".*"},
		AckMode:  nqv1.AckMode_ACK_MODE_CUMULATIVE,
		Limits:   &nqv1.FlowLimits{MaxOutstandingMessages: window},
	}
	if err := call.Send(&nqv1.SubscribeRequest{Request: &nqv1.SubscribeRequest_Open{Open: options}}); err != nil {
		return nil, err
	}
	if first, err := call.Recv(); err != nil || first.GetState() == nil {
		return nil, fmt.Errorf("the subscription was not confirmed: %v, %w", first, err)
	}
	for i := 0; i < count; i++ {
		message := &nqv1.Message{Channel: channel + ".a", Payload: []byte(fmt.Sprint(i))}
		if _, err := client.Publish(ctx, &nqv1.PublishRequest{Messages: []*nqv1.Message{message}}); err != nil {
			return nil, err
		}
	}
	var payloads []string
	for len(payloads) < count {
		response, err := call.Recv()
		if err != nil {
			return payloads, err
		}
		for _, message := range response.GetMessages() {
			payloads = append(payloads, string(message.GetPayload()))
		}
		if n := len(response.GetMessages()); n > 0 {
			through := response.GetFirstDeliveryId() + uint64(n) - 1
			ack := &nqv1.SubscribeRequest_Ack{Ack: &nqv1.Ack{ThroughDeliveryId: through}}
			if err := call.Send(&nqv1.SubscribeRequest{Request: ack}); err != nil {
				return payloads, err
			}
		}
	}
	return payloads, call.CloseSend()
}

// load makes a table of `count` numbers in one Ingest call.
func load(ctx context.Context, conn grpc.ClientConnInterface, table string, count int) error {
	if _, err := query(ctx, conn, "CREATE TABLE "+table+" (id BIGINT PRIMARY KEY)"); err != nil {
		return err
	}
	call, err := nqv1.NewQueryServiceClient(conn).Ingest(ctx)
	if err != nil {
		return err
	}
	kind := &nqv1.Type{DataType: nqv1.DataType_DATA_TYPE_INT64}
	header := &nqv1.IngestHeader{Table: table, Columns: []*nqv1.ColumnMeta{{Name: "id", Type: kind}}}
	if err := call.Send(&nqv1.IngestRequest{Message: &nqv1.IngestRequest_Header{Header: header}}); err != nil {
		return err
	}
	rows := &nqv1.RowBatch{}
	for i := 0; i < count; i++ {
		value := &nqv1.Value{Kind: &nqv1.Value_IntValue{IntValue: int64(i)}}
		rows.Rows = append(rows.Rows, &nqv1.Row{Values: []*nqv1.Value{value}})
	}
	if err := call.Send(&nqv1.IngestRequest{Message: &nqv1.IngestRequest_Rows{Rows: rows}}); err != nil {
		return err
	}
	response, err := call.CloseAndRecv()
	if err == nil && response.GetRowsCommitted() != uint64(count) {
		err = fmt.Errorf("%d of %d rows were committed", response.GetRowsCommitted(), count)
	}
	return err
}

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func main() {
	address := "localhost:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	conn, err := dial(address)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	name := fmt.Sprintf("tour_go_%d", time.Now().UnixNano())

	rows, err := query(ctx, conn, "SELECT 1 + 1")
	if err != nil {
		log.Fatal(neuroquantum.Reason(err), err)
	}
	fmt.Println("1 + 1 =", rows[0][0])
	if err := load(ctx, conn, name, 20000); err != nil {
		log.Fatal(err)
	}
	result, err := streamWithPause(ctx, conn, "SELECT id FROM "+name, 2, 4, 300*time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("streamed %d rows in %d batches; %d came while paused\n", result.rows, result.batches, result.whilePaused)
	payloads, err := subscribe(ctx, conn, name, 20, 5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("received", len(payloads), "messages")
	if _, err := query(ctx, conn, "DROP TABLE "+name); err != nil {
		log.Fatal(err)
	}
}
