package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"neuroquantum.dev/go/neuroquantum"
	nqv1 "neuroquantum.dev/go/neuroquantum/v1"
)

// server connects to NQ_SERVER_ADDR and makes a name of the test's own.
func server(t *testing.T) (context.Context, *grpc.ClientConn, string) {
	t.Helper()
	address := os.Getenv("NQ_SERVER_ADDR")
	if address == "" {
		t.Skip("NQ_SERVER_ADDR is not set")
	}
	conn, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx, conn, fmt.Sprintf("go_%d", time.Now().UnixNano())
}

func TestAQueryAnswersTypedRows(t *testing.T) {
	ctx, conn, _ := server(t)
	number := &nqv1.Value{Kind: &nqv1.Value_IntValue{IntValue: 40}}
	rows, err := query(ctx, conn, "SELECT $1 + 2, 'x', NULL", number)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(rows); got != "[[42 x <nil>]]" {
		t.Errorf("got %v", got)
	}
}

func TestAnErrorCarriesReasonAndPlace(t *testing.T) {
	ctx, conn, _ := server(t)
	_, err := query(ctx, conn, "SELECT 1 FORM nowhere WHERE")
	if status.Code(err) != codes.InvalidArgument || neuroquantum.Reason(err) != "SQL_SYNTAX" {
		t.Errorf("got %v, reason %q", err, neuroquantum.Reason(err))
	}
	if detail := neuroquantum.Detail(err); detail.GetSqlstate() != "42601" || detail.GetPosition().GetLine() != 1 {
		t.Errorf("got %v", detail)
	}
}

func TestAPausedStreamStopsAndLosesNothing(t *testing.T) {
	ctx, conn, name := server(t)
	if err := load(ctx, conn, name, 20000); err != nil {
		t.Fatal(err)
	}
	result, err := streamWithPause(ctx, conn, "SELECT id FROM "+name, 2, 4, 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if result.rows != 20000 {
		t.Errorf("%d rows of 20000", result.rows)
	}
	if result.whilePaused > 3 { // the window and the batch on its way
		t.Errorf("%d batches came while paused", result.whilePaused)
	}
	if result.batches < 40 {
		t.Errorf("%d batches of at most 500 rows", result.batches)
	}
}

func TestASubscriptionBothWaysDeliversInOrder(t *testing.T) {
	ctx, conn, name := server(t)
	payloads, err := subscribe(ctx, conn, name, 50, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, payload := range payloads {
		if payload != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, payload)
		}
	}
}

func TestACancelledCallStopsTheStatement(t *testing.T) {
	ctx, conn, name := server(t)
	if err := load(ctx, conn, name, 20000); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := query(ctx, conn, fmt.Sprintf("SELECT count(*) FROM %s a JOIN %s b ON a.id < b.id", name, name))
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}
