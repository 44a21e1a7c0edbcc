#!/bin/sh
# pages.sh PROGRAM: what `make page-test` does: Chromium opens the pages of the sample's ledger at the widths of a telephone,
# a tablet and a screen. It fails if a page must be scrolled sideways or if anything in one is refused by its own policy.
# Screenshots, and the pages as they are printed, are left in target/pages for whoever wants to look.
set -eu
program=$1
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

"$program" sample "$folder/demo" >"$folder/log"
export RBC_USAGE_CONFIG="$folder/demo/cloudusage.cfg"
"$program" initdb >>"$folder/log"
"$program" import -s 2026-09-25 -e 2026-11-01 >>"$folder/log" 2>&1 || [ $? = 1 ] || fail "$(cat "$folder/log")"
: >"$folder/serve"
"$program" serve --bind 127.0.0.1:0 --log-format off >"$folder/serve" &
server=$!
while ! grep -q listening "$folder/serve"; do
    kill -0 "$server" || fail "the server did not start"
    sleep 0.1
done
root=$(sed -n 's/^listening on //p' "$folder/serve")
ask() { curl --fail --silent --show-error --noproxy '*' "$root$1"; }
account=$(ask '/v1/usage?month=2026-10&metric=vm_running&format=csv' | sed -n '2s/,.*//p')

mkdir -p "$out"
count=0
while read -r name path; do
    ask "$path" >"$folder/page.html"
    # The policy of the page allows no script, so its copy is measured; in a frame, as no window is as narrow as a telephone.
    echo '<script>parent.postMessage(document.documentElement.scrollWidth + " of " + innerWidth, "*")</script>' \
        >>"$folder/page.html"
    for width in 360 800 1400; do
        browser --window-size=$width,1800 --screenshot="$out/$name-$width.png" "$root$path" >"$folder/log"
        if grep -q 'Content Security Policy' "$folder/browser.log"; then
            fail "$path: $(grep 'Content Security Policy' "$folder/browser.log")"
        fi
        {
            echo '<title>nothing</title><script>onmessage = said => document.title = said.data</script>'
            echo "<iframe src=page.html width=$width height=900 style='border: 0'></iframe>"
        } >"$folder/frame.html"
        browser --virtual-time-budget=5000 --dump-dom "file://$folder/frame.html" >"$folder/dom"
        found=$(sed -n 's/.*<title>\([0-9]* of [0-9]*\)<.*/\1/p' "$folder/dom")
        [ "$found" = "$width of $width" ] || fail "$path is ${found:-unknown} pixels wide in a window of $width"
        count=$((count + 1))
    done
    browser --print-to-pdf="$out/$name.pdf" --no-pdf-header-footer "$root$path" >"$folder/log"
done <<END
month /?month=2026-10
unfinished /?month=2026-11
account /accounts/$account?month=2026-10
accounts /accounts
domain /domains/%2F?month=2026-10
day /days/2026-10-14
END
echo "pages: $count views fit, and nothing in them was refused; screenshots are in $out"
