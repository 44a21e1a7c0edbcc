#!/bin/sh
# pages.sh PROGRAM AXE: what `make page-test` does: Chromium opens every page of the sample's ledger, in which some names
# mean harm, at the widths of a telephone, a tablet and a screen, light and dark. It fails if axe-core, whose file AXE is,
# finds a violation, if a page must be scrolled sideways, is longer than 100 kB, or has something in it that its own policy
# refuses, or if a user with a scope is shown anything of somebody else's. Screenshots, and the pages as they are printed,
# are left in target/pages for whoever wants to look.
set -eu
program=$1
axe=$2
here=$(dirname "$0")
out=target/pages
folder=$(mktemp -d)
server=

clean_up() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "pages: $*" >&2
    exit 1
}

browser() {
    timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/browser" \
        --enable-logging=stderr "$@" 2>"$folder/browser.log" || fail "chromium: $(tail -n 3 "$folder/browser.log")"
}

# Starts the server; its address is in `root`.
serve() {
    : >"$folder/serve"
    "$program" serve --bind 127.0.0.1:0 --log-format off "$@" >"$folder/serve" &
    server=$!
    while ! grep -q listening "$folder/serve"; do
        kill -0 "$server" || fail "the server did not start"
        sleep 0.1
    done
    root=$(sed -n 's/^listening on //p' "$folder/serve")
}

stop() {
    kill -TERM "$server"
    wait "$server" || true
    server=
}

ask() { curl --fail --silent --show-error --noproxy '*' --header 'Accept: text/html' "$@"; }

"$program" sample "$folder/demo" >"$folder/log"
# What customers call their things.
sqlite3 "$folder/demo/cloud.db" "
    update account set account_name = '=HYPERLINK(\"x\",\"aurora\")' where id = 3;
    update vm_instance set name = '<script>parent.postMessage(''a name ran'',''*'')</script>' where id = 3001;
    update vm_instance set name = '\"><img src=x onerror=alert(1)>' where id = 3002;
    update vm_instance set name = 'javascript:alert(1)//' || hex(zeroblob(60)) where id = 3003;
    update service_offering set name = '</title></style><script>alert(1)</script>' where name = 'Small';"
cat >"$folder/demo/prices.csv" <<END
valid_from,metric,zone,offering,domain,account,unit,price,currency
,vm_running,,,,,hour,0.05,EUR
,primary_byte_hours,,,,,GiB-month,0.08,EUR
END
printf '\n[prices]\nfile = prices.csv\n' >>"$folder/demo/cloudusage.cfg"
export RBC_USAGE_CONFIG="$folder/demo/cloudusage.cfg"
"$program" initdb >>"$folder/log"
"$program" import -s 2026-09-25 -e 2026-11-01 >>"$folder/log" 2>&1 || [ $? = 1 ] || fail "$(cat "$folder/log")"
"$program" verify 2026-10-06 >>"$folder/log" 2>&1 || fail "$(tail -n 3 "$folder/log")"
"$program" seal 2026-10-06 >>"$folder/log" 2>&1 || fail "$(tail -n 3 "$folder/log")"
# A sealed value that the source contradicts is a pending correction.
sqlite3 "$folder/demo/cloud_usage.db" \
    "update cloud_usage set raw_usage = raw_usage / 2 where account_id = 3
        and start_date >= '2026-10-05 22:00:00' and start_date < '2026-10-06 22:00:00';"
"$program" import 2026-10-06 >>"$folder/log" 2>&1 || [ $? = 1 ] || fail "$(tail -n 3 "$folder/log")"
serve
[ "$(ask "$root/v1/corrections?kind=pending&format=csv" | wc -l)" -gt 1 ] || fail "no correction is pending"

aurora=5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61
customer=$(ask "$root/v1/usage?month=2026-10&metric=vm_running&format=csv" | sed -n '$s/,.*//p')
of_kind() {
    ask "$root/v1/accounts/$aurora/resources?month=2026-10&format=csv" | sed -n "s/^$1,\([^,]*\),.*/\1/p" | sed -n "$2p"
}
cat >"$folder/pages" <<END
month /?month=2026-10
unfinished /?month=2026-11
account /accounts/$customer?month=2026-10
hostile /accounts/$aurora?month=2026-10
vm /accounts/$aurora/resources/$(of_kind vm 1)?month=2026-10
volume /accounts/$aurora/resources/$(of_kind volume 1)?month=2026-10
absent /accounts/$aurora/resources/nothing?month=2026-10
statement /accounts/$aurora/statement?month=2026-10
accounts /accounts
search /search?search=%3Cscript%3E
found /search?search=web
domain /domains/%2F?month=2026-10
day /days/2026-10-05
missing /days/2026-12-24
corrections /corrections
pending /corrections?kind=pending&month=
error /nothing
END

mkdir -p "$out"
cp "$axe" "$folder/axe.js"
cp "$here/pages.js" "$folder/pages.js"
# What is shown of a page in windows of three widths, in frames, as no window is as narrow as a telephone.
{
    echo '<!doctype html><title>frames</title><pre id=said></pre>'
    echo '<script>onmessage = (one) => said.append(one.data, document.createElement("br"), String.fromCharCode(10))</script>'
    for width in 360 800 1400; do
        echo "<iframe src=page.html width=$width height=900 style='border: 0'></iframe>"
    done
} >"$folder/frames.html"
count=0
while read -r name path; do
    curl --silent --noproxy '*' --header 'Accept: text/html' "$root$path" >"$folder/answer.html"
    length=$(wc -c <"$folder/answer.html")
    [ "$length" -le 100000 ] || fail "$path has $length bytes"
    # The policy of the page allows no script, so its copy is looked at.
    { cat "$folder/answer.html" && echo '<script src=axe.js></script><script src=pages.js></script>'; } \
        >"$folder/page.html"
    # 0 is dark, 1 light.
    for scheme in 1 0; do
        # The browser's own clock may end before all frames are there, on a machine with much else to do.
        for attempt in 1 2 3 4 5; do
            browser --blink-settings=preferredColorScheme=$scheme --window-size=1400,1000 \
                --virtual-time-budget=60000 --dump-dom "file://$folder/frames.html" >"$folder/dom"
            sed -n '/<pre id="said">/,/<\/pre>/p' "$folder/dom" >"$folder/said"
            looked=$(grep -c 'looked at' "$folder/said" || true)
            [ "$looked" != 3 ] || break
        done
        if [ "$looked" != 3 ] || grep -v 'looked at' "$folder/said" | grep -q '[0-9]: '; then
            fail "$path (scheme $scheme): $(cat "$folder/said")"
        fi
    done
    for width in 360 800 1400; do
        browser --window-size=$width,1800 --screenshot="$out/$name-$width.png" "$root$path" >"$folder/log"
        if grep -q 'Content Security Policy' "$folder/browser.log"; then
            fail "$path: $(grep 'Content Security Policy' "$folder/browser.log")"
        fi
        count=$((count + 1))
    done
    browser --print-to-pdf="$out/$name.pdf" --no-pdf-header-footer "$root$path" >"$folder/log"
done <"$folder/pages"
browser --blink-settings=preferredColorScheme=0 --window-size=800,1800 --screenshot="$out/account-dark.png" \
    "$root/accounts/$customer?month=2026-10" >"$folder/log"
# A spreadsheet is given texts, not formulas.
ask "$root/v1/accounts/$aurora/usage?month=2026-10&group=resource&format=xlsx" >"$folder/usage.xlsx"
unzip -p "$folder/usage.xlsx" >"$folder/sheets"
if grep -q '<f>' "$folder/sheets"; then fail "a workbook has a formula"; fi
grep -q '=HYPERLINK' "$folder/sheets" || fail "the workbook lacks the account's name"
stop

# Who may see one account finds no trace of another, on whatever page they are mentioned.
echo secret | "$program" passwd --stdin "$folder/demo/users" shop >>"$folder/log"
printf '\n[scope.shop]\naccounts = %s\n' "$aurora" >>"$folder/demo/cloudusage.cfg"
RBC_USAGE_SERVER__USERS="$folder/demo/users" serve
sqlite3 "$folder/demo/cloud.db" >"$folder/others" "
    select uuid from account where id > 3 and uuid is not null;
    select uuid from projects where project_account_id <> 3 and uuid is not null;
    select uuid from vm_instance where account_id <> 3 and uuid is not null;"
[ "$(wc -l <"$folder/others")" -gt 100 ] || fail "the sample has too little of others"
while read -r name path; do
    # What is asked for is in the page that says that it is not there.
    printf '%s\n' "$path" | grep -q -F -f "$folder/others" && continue
    curl --silent --noproxy '*' --user shop:secret --header 'Accept: text/html' "$root$path" >"$folder/answer.html"
    if grep -o -F -f "$folder/others" "$folder/answer.html" >"$folder/found"; then
        fail "$path shows a user with a scope $(head -n 1 "$folder/found"), which is somebody else's"
    fi
done <"$folder/pages"
[ "$(curl --silent --noproxy '*' --user shop:secret --output /dev/null --write-out '%{http_code}' "$root/accounts/$customer")" = 404 ] ||
    fail "a user with a scope is shown somebody else's account"
stop
echo "pages: $count views hold against axe-core and fit, light and dark; nothing in them was refused, nothing of others" \
    "shown; screenshots are in $out"
