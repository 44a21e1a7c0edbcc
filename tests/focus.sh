#!/bin/sh
# focus.sh PROGRAM: what `make focus-test` does: focus-validator reads the sample's October with a price for everything, and
# finds that no rule of FOCUS 1.0 fails. The columns of 1.2 are those that docs/focus.md lists.
set -eu
program=$1
python=${CARGO_TARGET_DIR:-target}/python/focus/bin/python
here=$(pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

"$program" sample "$folder/demo" >"$folder/log"
config=$folder/demo/cloudusage.cfg
printf '[prices]\nfile = prices.csv\n[focus]\nprovider = Nordic Cloud AB\n' >>"$config"
"$program" initdb --config "$config" >>"$folder/log"
"$program" import --config "$config" -s 2026-09-25 -e 2026-11-02 >>"$folder/log" 2>&1 || [ $? = 1 ]
"$program" report --config "$config" --month 2026-10 --by metric --format csv >"$folder/metrics.csv"
awk -F , '
    BEGIN {
        split("hours=hour byte-hours=GiB-month bytes=GB requests=request vcpu-hours=vCPU-hour", pairs, " ")
        for (i in pairs) { split(pairs[i], pair, "="); unit[pair[1]] = pair[2] }
        print "metric,account,unit,price,currency"
    }
    NR > 1 { print $1 ",," unit[$3] ",0.0123,EUR"; print $1 ",aurora," unit[$3] ",0.01,EUR" }
' "$folder/metrics.csv" >"$folder/demo/prices.csv"
"$program" report --config "$config" --month 2026-10 --format focus >"$folder/focus.csv"

# One rule looks for its list of currencies below the working directory.
mkdir -p "$folder/focus_validator/utils"
case $python in
/*) ;;
*) python=$here/$python ;;
esac
cd "$folder"
"$python" "$here/tests/focus.py" focus.csv
