#!/bin/bash
# The examples of README.md, run with grpcurl and ghz as printed there, against the server at NQ_SERVER_ADDR.
# Both tools are built from their Go modules, once, under .build/go-tools.
set -uo pipefail
cd "$(dirname "$0")/../.."
: "${NQ_SERVER_ADDR:?says where the server is; tests/sdk/with_server.sh starts one}"
tools=$PWD/.build/go-tools/bin
failures=0

install_tools() {
    [ -x "$tools/grpcurl" ] && [ -x "$tools/ghz" ] && return
    mkdir -p "$tools"
    GOBIN=$tools sdk/go/go.sh install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 &&
        GOBIN=$tools sdk/go/go.sh install github.com/bojand/ghz/cmd/ghz@v0.120.0
}

# expect NAME PATTERN COMMAND...: the command succeeds and prints a line that matches.
expect() {
    local name=$1 pattern=$2 output
    shift 2
    if output=$("$@" 2>&1) && grep -Eq -- "$pattern" <<<"$output"; then
        echo "ok $name"
    else
        failures=$((failures + 1))
        printf 'not ok %s: no /%s/ in\n%s\n' "$name" "$pattern" "$output"
    fi
}

# refuse NAME PATTERN COMMAND...: the command fails and prints a line that matches.
refuse() {
    local name=$1 pattern=$2 output
    shift 2
    if ! output=$("$@" 2>&1) && grep -Eq -- "$pattern" <<<"$output"; then
        echo "ok $name"
    else
        failures=$((failures + 1))
        printf 'not ok %s: it succeeded, or no /%s/ in\n%s\n' "$name" "$pattern" "$output"
    fi
}

call() {
    "$tools/grpcurl" -plaintext -max-time 20 "$@"
}
execute() {
    call -d "{\"statement\":{\"sql\":\"$1\"}}" "$NQ_SERVER_ADDR" neuroquantum.v1.QueryService/Execute
}

# A subscriber in the background hears what is published next; it ends by its own deadline.
listen_and_publish() {
    local channel=$1 heard
    heard=$(mktemp)
    "$tools/grpcurl" -plaintext -max-time 4 -d "{\"options\":{\"patterns\":[\"$channel.**\"]}}" \
        "$NQ_SERVER_ADDR" neuroquantum.v1.PubSubService/Listen >"$heard" 2>/dev/null &
    local listener=$!
    for _ in $(seq 100); do
        grep -q sessionId "$heard" && break
        sleep 0.05
    done
    call -d "{\"messages\":[{\"channel\":\"$channel.kitchen\",\"payload\":\"MjEuNQ==\"}]}" \
        "$NQ_SERVER_ADDR" neuroquantum.v1.PubSubService/Publish || return 1
    wait "$listener"
    cat "$heard"
    rm -f "$heard"
}

install_tools || { echo "not ok grpcurl and ghz could not be built" >&2; exit 1; }
table=grpcurl_$$

expect "list names the services" '^neuroquantum.v1.QueryService$' call "$NQ_SERVER_ADDR" list
expect "list names the health service" '^grpc.health.v1.Health$' call "$NQ_SERVER_ADDR" list
expect "describe shows a method" 'rpc Execute' call "$NQ_SERVER_ADDR" describe neuroquantum.v1.QueryService
expect "describe shows a message" 'uint32 max_rows = 2' call "$NQ_SERVER_ADDR" describe neuroquantum.v1.QueryOptions
expect "health is SERVING" 'SERVING' call "$NQ_SERVER_ADDR" grpc.health.v1.Health/Check
expect "health knows its services" 'SERVING' \
    call -d '{"service":"neuroquantum.v1.QueryService"}' "$NQ_SERVER_ADDR" grpc.health.v1.Health/Check
expect "Execute answers" '"intValue": "?2"?' execute 'SELECT 1 + 1 AS two'
expect "Execute creates" '"queryId"' execute "CREATE TABLE $table (id INT PRIMARY KEY, name TEXT)"
expect "Execute inserts" '"rowsAffected": "2"' execute "INSERT INTO $table VALUES (1, 'one'), (2, 'two')"
expect "ExecuteStream sends batches and completes" '"completed"' \
    call -d "{\"statement\":{\"sql\":\"SELECT * FROM $table\"},\"options\":{\"format\":\"RESULT_FORMAT_ROWS\"}}" \
    "$NQ_SERVER_ADDR" neuroquantum.v1.StreamService/ExecuteStream
refuse "an error has its code and SQLSTATE" '42P01' execute 'SELECT * FROM nowhere'
refuse "an unserved method says so" 'Unimplemented' \
    call "$NQ_SERVER_ADDR" neuroquantum.v1.OperationsService/ListOperations
expect "Listen hears what Publish says" '"payload": "MjEuNQ=="' listen_and_publish "grpcurl.s$$"
expect "GetServerInfo tells limits" '"limits"' call "$NQ_SERVER_ADDR" neuroquantum.v1.AdminService/GetServerInfo
expect "ghz finds only OK" '\[OK\] +200 responses' "$tools/ghz" --insecure --total 200 --concurrency 10 \
    --call neuroquantum.v1.QueryService/Execute --data '{"statement":{"sql":"SELECT 1"}}' "$NQ_SERVER_ADDR"
expect "Execute drops" '"queryId"' execute "DROP TABLE $table"

[ "$failures" -eq 0 ]
