#!/bin/bash
# nq as a user meets it, against the server at NQ_SERVER_ADDR: output, exit codes, import, export, channels.
# NQ_BIN names the binary. Prints one "ok" or "not ok" line per behaviour.
set -uo pipefail
cd "$(dirname "$0")/../../.."
: "${NQ_SERVER_ADDR:?says where the server is; tests/sdk/with_server.sh starts one}"
nq=${NQ_BIN:-$PWD/.build/bazel/bin/sdk/cli/nq}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
t=nq_$$
failures=0

not_ok() {
    failures=$((failures + 1))
    echo "not ok $1"
    shift
    printf '    %s\n' "$@"
}

# is NAME WANTED-CODE WANTED-OUTPUT COMMAND...: exit code and standard output, to the last byte.
is() {
    local name=$1 code=$2 wanted=$3 got got_code
    shift 3
    got=$("$@" 2>"$here/err")
    got_code=$?
    if [ "$got" = "$wanted" ] && [ "$got_code" -eq "$code" ]; then
        echo "ok $name"
    else
        not_ok "$name" "exit code $got_code, wanted $code" "got:    ${got//$'\n'/⏎}" "wanted: ${wanted//$'\n'/⏎}" \
            "stderr: $(tr '\n' '|' <"$here/err")"
    fi
}

# says NAME WANTED-CODE PATTERN COMMAND...: exit code, and a line of stdout or stderr that matches.
says() {
    local name=$1 code=$2 pattern=$3 got got_code
    shift 3
    got=$("$@" 2>&1)
    got_code=$?
    if [ "$got_code" -eq "$code" ] && grep -Eq -- "$pattern" <<<"$got"; then
        echo "ok $name"
    else
        not_ok "$name" "exit code $got_code, wanted $code; no /$pattern/ in" "${got//$'\n'/⏎}"
    fi
}

sql() {
    "$nq" -q "$@"
}

# ---- SQL ----

is "a query is an aligned table" 0 ' two | letter
-----+--------
   2 | x
(1 row)' sql -c "SELECT 1 + 1 AS two, 'x' AS letter"
is "NULL is shown, and can be shown as something else" 0 ' n
---
 -
(1 row)' sql --null-display - -c 'SELECT NULL AS n'
is "CSV has a header" 0 'a,b
1,"x,y"' sql -F csv -c "SELECT 1 AS a, 'x,y' AS b"
is "JSON is an array" 0 '[{"a":1,"b":null}]' sql -F json -c 'SELECT 1 AS a, NULL AS b'
is "JSON lines are objects" 0 '{"a":true}' sql -F jsonl -c 'SELECT true AS a'
is "statements have tags" 0 'CREATE TABLE
INSERT 0 3
UPDATE 1
DELETE 1' "$nq" -c "CREATE TABLE $t (id INT PRIMARY KEY, s TEXT); INSERT INTO $t VALUES (1,'a'),(2,'b;c'),(3,NULL);
UPDATE $t SET s = 'z' WHERE id = 1; DELETE FROM $t WHERE id = 3"
is "standard input is run" 0 'n
2' sql -F csv <<<"SELECT count(*) AS n -- ; not here
FROM $t;"
says "an error has a caret under the place" 13 '^ +\^$' "$nq" -c 'SELECT 1 FORM nowhere WHERE'
says "an error has its line" 13 '^LINE 2: ' "$nq" -c $'SELECT 1,\n  nothing'
says "an unknown table is exit code 15" 15 'TABLE_NOT_FOUND 42P01' "$nq" -c 'SELECT * FROM nowhere'
says "a duplicate key is exit code 16" 16 '23505' "$nq" -c "INSERT INTO $t VALUES (1, 'again')"
is "the first failure ends a script" 13 '' sql -F csv -c 'SELEC 1; SELECT 2 AS x'
is "--keep-going does not" 13 'x
2' sql -F csv --keep-going -c 'SELEC 1; SELECT 2 AS x'
says "a server that is not there is exit code 24" 24 UNAVAILABLE "$nq" -s 127.0.0.1:1 -c 'SELECT 1'
says "an unknown option is exit code 2" 2 'unknown option' "$nq" --nonsense
says "a malformed address is exit code 2" 2 'cannot use' "$nq" -s 'http://x' -c 'SELECT 1'
is "a transaction spans statements" 0 'n
2
n
3
n
2' sql -F csv -c "BEGIN; SELECT count(*) AS n FROM $t; INSERT INTO $t VALUES (9, 'nine');
SELECT count(*) AS n FROM $t; ROLLBACK; SELECT count(*) AS n FROM $t"
is "a committed transaction stays" 0 'n
3' sql -F csv -c "BEGIN; INSERT INTO $t VALUES (9, 'nine'); COMMIT; SELECT count(*) AS n FROM $t"
says "--timeout stops a statement" 14 DEADLINE_EXCEEDED "$nq" --timeout 0.3 -c \
    "SELECT count(*) FROM $t a$(printf ", $t x%d" $(seq 30))"
says "\\d describes" 0 '^ id +\| integer +\| not null' "$nq" -c "\\d $t"
says "\\d shows the primary key" 0 'PRIMARY KEY' "$nq" -c "\\d $t"
says "\\dt lists" 0 "^ $t +\\|" "$nq" -c '\dt nq_*'
says "\\conninfo tells the version" 0 'version' "$nq" -c '\conninfo'
says "an unknown command is refused" 2 'no command' "$nq" -c '\nonsense'
says "\\timing shows a time" 0 '^Time: [0-9.]+ ms' "$nq" <<<$'\\timing on\nSELECT 1;'
is "\\o writes to a file" 0 '' sql -F csv <<<"\\o $here/out
SELECT 1 AS x;"
is "and the file has it" 0 'x
1' cat "$here/out"

# ---- Import and export ----

cat >"$here/mixed.csv" <<'CSV'
Id,Name,Score,When,Zip,Ok
1,"Ann, A.",1.5,2024-01-31 10:00:00,00501,true
2,"say ""hi""",,2024-02-29 00:00:00.25,02134,false
3,"two
lines",-3e5,1969-12-31 23:59:59,90210,
CSV
says "import finds header and types" 0 'id bigint, name text, score double precision, when timestamp, zip text, ok boolean' \
    "$nq" import "$here/mixed.csv" --table "${t}_mixed" --create --key id
is "every value arrives as it was" 0 'id,name,score,when,zip,ok
1,"Ann, A.",1.5,2024-01-31 10:00:00,00501,t
2,"say ""hi""",,2024-02-29 00:00:00.25,02134,f
3,"two
lines",-300000,1969-12-31 23:59:59,90210,' sql export "SELECT * FROM ${t}_mixed ORDER BY id"
says "the same import once more does nothing" 0 'nothing to do' "$nq" import "$here/mixed.csv" --table "${t}_mixed"
is "no row was loaded twice" 0 'n
3' sql -F csv -c "SELECT count(*) AS n FROM ${t}_mixed"
says "--upsert replaces" 0 '^3 rows into' "$nq" import - --table "${t}_mixed" --upsert <"$here/mixed.csv"
"$nq" export "${t}_mixed" >"$here/out.csv"
sed -i 's/,t$/,true/; s/,f$/,false/' "$here/out.csv"
says "what was exported can be imported" 0 '^3 rows into' "$nq" import "$here/out.csv" --table "${t}_again" --create
seq 1 20000 | awk '{ print $1 "," $1 / 4 ",s" $1 }' >"$here/numbers.csv"
says "a file without a header is recognised" 0 'no header line' \
    "$nq" import "$here/numbers.csv" --table "${t}_n" --create --columns id,quarter,s --batch-rows 1000
is "and is whole" 0 'n,total,quarters
20000,200010000,50002500' sql -F csv -c "SELECT count(*) AS n, sum(id) AS total, sum(quarter) AS quarters FROM ${t}_n"
says "a value of another type is told with its line" 1 "line 3, column \"quarter\": 'x' is no double" \
    "$nq" import - --table "${t}_n" --header <<<$'id,quarter,s\n30001,1,a\n30002,x,b'
says "a record of another width is told with its line" 1 'line 2: 2 fields' \
    "$nq" import - --table "${t}_n" --no-header <<<$'30001,1,a\n30002,1'
says "a missing table needs --create" 2 'no table' "$nq" import "$here/numbers.csv" --table nowhere
gzip -k "$here/numbers.csv"
says "packed files are unpacked" 0 '^20,000 rows into' "$nq" import "$here/numbers.csv.gz" --table "${t}_gz" --create

# ---- Channels ----

"$nq" sub "$t.**" --count 2 >"$here/heard" 2>&1 &
subscriber=$!
for _ in $(seq 100); do
    case $("$nq" pub "$t.kitchen" 21.5) in *' 1 receiver') break ;; esac
    sleep 0.05
done
"$nq" -q pub "$t.hall" 'two words'
wait "$subscriber"
is "a subscriber hears a pattern" 0 "$t.kitchen	21.5
$t.hall	two words" cat "$here/heard"
printf 'a\nb\nc\n' | "$nq" -q pub "$t.lines" --lines
is "history comes first" 0 "$t.lines	b
$t.lines	c" "$nq" sub "$t.lines" --history 2 --count 2
says "messages are JSON on demand" 0 '^\{"channel":"'"$t"'.lines","sequence":3,.*"payload":"c"\}$' \
    "$nq" sub "$t.lines" --history 1 --count 1 --json
says "a malformed pattern is exit code 13" 13 BAD_PATTERN "$nq" sub 'a..b'
says "channels are listed" 0 "$t.lines" "$nq" channels "$t.**"

# ---- The server ----

is "health is SERVING" 0 SERVING "$nq" health
says "stats have names and values" 0 '\|' "$nq" stats
says "connections are listed, with what their clients call themselves" 0 '(ipv4:127.0.0.1|unix:).*nq/0\.1' "$nq" connections
says "running statements are listed" 0 'Query id' "$nq" queries
says "a statement that does not run cannot be cancelled" 1 'no such statement' "$nq" cancel nothing
says "a checkpoint can be made" 0 'pages written' "$nq" checkpoint

for table in "$t" "${t}_mixed" "${t}_again" "${t}_n" "${t}_gz"; do
    sql -c "DROP TABLE $table"
done
[ "$failures" -eq 0 ]
