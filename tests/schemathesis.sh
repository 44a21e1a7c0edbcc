#!/bin/sh
# Asks a running server, over sample data, everything that schemathesis makes of /openapi.json: valid questions and
# spoilt ones, one after another and in chains. Fails if an answer is not what the description says. Needs python3
# and PyPI, hence no part of `make test`. Further words go to schemathesis.
set -eu
cd "$(dirname "$0")/.."
program=${CARGO_TARGET_DIR:-target}/debug/rbc-usage
venv=target/schemathesis
folder=$(mktemp -d)
server=

stop() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'schemathesis>=4.32,<5'
fi
cargo build --quiet --locked
"$program" sample "$folder" >/dev/null
"$program" initdb --config "$folder/cloudusage.cfg" >/dev/null
"$program" import --config "$folder/cloudusage.cfg" -s 2026-09-25 -e 2026-11-03 >/dev/null
"$program" serve --config "$folder/cloudusage.cfg" --bind 127.0.0.1:0 >"$folder/serve.out" 2>"$folder/serve.err" &
server=$!
address=
tries=0
while [ -z "$address" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$folder/serve.out" "$folder/serve.err" >&2
        echo "schemathesis: the server did not come up" >&2
        exit 1
    fi
    sleep 0.1
    address=$(sed -n 's|^listening on ||p' "$folder/serve.out" | head -n 1)
done

status=0
SCHEMATHESIS_HOOKS=tests/schemathesis.py "$venv/bin/schemathesis" run "$address/openapi.json" \
    --checks all --max-examples 100 "$@" || status=$?
echo "answers by status, as the server logged them:"
sed -n 's|.* HTTP/1.1" \([0-9]*\) .*|\1|p' "$folder/serve.err" | sort | uniq -c
exit "$status"
