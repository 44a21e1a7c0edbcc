#!/bin/sh
# demo.sh PROGRAM: what `make demo` shows: a made-up CloudStack, its import into a ledger, one account's October over
# HTTP. Everything happens in ./demo; it fails if any step does, and leaves no server behind.
set -eu
program=$1
config=demo/cloudusage.cfg
server=

fail() {
    echo "demo: $*" >&2
    exit 1
}

stop_server() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
}
trap stop_server EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

run() {
    echo "$ rbc-usage $*"
    "$program" "$@"
    echo
}

# Prints the body of a GET of http://127.0.0.1:$1$2, by whatever is there to ask with.
get() {
    url="http://127.0.0.1:$1$2"
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --max-time 60 --noproxy '*' "$url"
    elif command -v wget >/dev/null; then
        no_proxy=127.0.0.1 wget -q -T 60 -O - "$url"
    elif command -v bash >/dev/null; then
        bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n" "$2" "$1" >&3 &&
            read -r version status rest <&3 && sed "1,/^\r*\$/d" <&3 && [ "$status" = 200 ]' get "$1" "$2"
    else
        fail "curl, wget or bash is needed to ask the server; install one of them"
    fi
}

rm -rf demo
mkdir demo
run sample demo >demo/sample.out
cat demo/sample.out
# The question that the sample itself suggests, for one account and its October.
question=$(sed -n 's|.*\(/usage/[^'\'']*\).*|\1|p' demo/sample.out)
[ -n "$question" ] || fail "the sample names no account to ask for"

run initdb --config "$config"
run import --config "$config" -s 2026-09-25 -e 2026-11-03

echo "$ rbc-usage serve --config $config --bind 127.0.0.1:0"
"$program" serve --config "$config" --bind 127.0.0.1:0 >demo/serve.out 2>demo/serve.err &
server=$!
port=
tries=0
while [ -z "$port" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        cat demo/serve.out demo/serve.err >&2
        fail "the server did not come up"
    fi
    sleep 0.1
    port=$(sed -n 's|.*127\.0\.0\.1:\([0-9][0-9]*\).*|\1|p' demo/serve.out | head -n 1)
done
cat demo/serve.out
echo

echo "$ curl 'http://127.0.0.1:$port$question'"
get "$port" "$question" >demo/answer.json || fail "no answer to $question"
if command -v python3 >/dev/null; then
    python3 -m json.tool demo/answer.json
else
    cat demo/answer.json
    echo
fi

kill -TERM "$server"
stopping=$server
server=
wait "$stopping" || fail "the server did not stop in good order"

cat <<END

All of it is left in ./demo. What to try next:
  $program status --config $config --month 2026-10
  $program report --config $config --month 2026-10 --by account,metric
  $program explain --config $config aurora 2026-10-14 vm_running
END
