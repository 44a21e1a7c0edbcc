#!/bin/sh
# books.sh PROGRAM: what `make book-test` does: openpyxl reads workbooks of the sample, a small one and one whose rows wait
# in a temporary file while they are written, and finds the figures of JSON in them.
set -eu
program=$1
python=${CARGO_TARGET_DIR:-target}/python/books/bin/python
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

"$program" sample "$folder/demo" >"$folder/log"
export RBC_USAGE_CONFIG="$folder/demo/cloudusage.cfg"
printf '[prices]\nfile = prices.csv\n' >>"$RBC_USAGE_CONFIG"
printf 'metric,unit,price,currency\nvm_running,hour,0.0123,EUR\nnetwork_bytes_sent,GB,0.07,SEK\n' \
    >"$folder/demo/prices.csv"
"$program" initdb >>"$folder/log"
"$program" import -s 2026-09-25 -e 2026-11-02 >>"$folder/log" 2>&1 || [ $? = 1 ]

# compare NAME WORDS: NAME is the sheet of the rows.
compare() {
    name=$1
    shift
    "$program" "$@" --format xlsx >"$folder/book.xlsx" 2>"$folder/log"
    "$program" "$@" --format json >"$folder/document.json" 2>"$folder/log"
    "$python" tests/books.py "$folder/book.xlsx" "$folder/document.json" "$name"
}
compare usage report --month 2026-10 --by account,metric
compare usage report --month 2026-10 --by account,resource,sku,day
compare lines statement --month 2026-10 --all
