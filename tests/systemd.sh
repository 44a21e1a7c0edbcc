#!/bin/sh
# Boots a small Debian with a systemd of its own in a container, sets the server up in it by the very lines of
# docs/set-up.md, and tries what docs/server.md says of the units. Needs root, Debian or Ubuntu, and their packages, hence
# no part of `make test`.
set -eu
cd "$(dirname "$0")/.."
. tests/container.sh

cargo build --quiet --locked
make_root rbc-usage.service
install -m 0755 "${CARGO_TARGET_DIR:-target}/debug/rbc-usage" "$root/usr/local/bin/rbc-usage"
mkdir "$root/root/files"
cp -r packaging docs cloudusage.cfg.example "$root/root/files"
cat >"$root/root/try" <<'END'
set -eu
cd /root/files
url=https://usage.example.com:8888
config=/etc/rbc-usage/cloudusage.cfg
trap '[ $? = 0 ] || { journalctl -n 30 --no-pager; systemctl poweroff; }' EXIT
ask() { curl -sS --fail --cacert /etc/rbc-usage/server.pem -u "billing:$(cat billing.secret)" "$@"; }
served() { openssl s_client -connect usage.example.com:8888 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; }
# The commands of docs/set-up.md, a line `#` before each block.
commands() {
    awk '/^```/ { inside = inside ? "" : substr($0, 4); if (inside) print "#"; next }
        inside == "sh" || inside == "ini" { print }
        inside == "console" && /^[$>] / { print substr($0, 3) }' docs/set-up.md
}
# Its block that has a line like this.
block() { commands | awk -v like="$1" 'BEGIN { RS = "#\n" } $0 ~ like { printf "%s", $0 }'; }
certificate() { block '^openssl req' | sh 2>/dev/null; }
if [ -e /root/again ]; then
    systemctl is-active rbc-usage rbc-usage-import.timer
    ask "$url/healthz"
    echo 'ok: after a reboot everything is back'
    systemctl poweroff
    exit 0
fi
rbc-usage sample /srv/sample >/dev/null
# What the editor would do: the sample's databases and its zone at first, the keys of the server later.
printf '%s\n' 's|^\(cloud.*\)_uri = .*|\1_uri = sqlite:////srv/sample/\1.db|; s|^timezone = .*|timezone = Europe/Stockholm|' >sources.sed
block 'bind = ' | sed -n 's/^\([a-z_]*\) = \(.*\)/s|^\1 =.*|\1 = \2|/p' >server.sed
commands | sed -e '/^make /d' -e '/^dpkg /d' -e '/^\[main\]/,/^#/d' -e "/cloudusage.cfg.example/a sed -i -f sources.sed $config" \
    -e "s|^\[server\]|sed -i -f server.sed $config|" -e '/^[a-z_]* = /d' >steps
sh -eu steps >/dev/null
systemd-analyze verify /etc/systemd/system/rbc-usage*
ask "$url/usage/5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61?start=2026-10-01&end=2026-10-31" | grep -q '"complete":true'
echo 'ok: set up by docs/set-up.md, and answers'
systemctl restart rbc-usage
ask "$url/healthz"
echo 'ok: a start returns when requests are taken'
before=$(served)
get='GET /healthz HTTP/1.1\r\nHost: usage.example.com\r\n\r\n'
{ printf "$get" && sleep 4 && printf "$get" && sleep 1; } | openssl s_client -quiet -connect usage.example.com:8888 >kept 2>&1 &
sleep 1
certificate
block '^install -m 0644 fullchain' | sh -e
systemctl reload rbc-usage
sleep 1
[ "$before" != "$(served)" ]
wait
[ "$(grep -c '200 OK' kept)" = 2 ]
echo 'ok: a reload brings the new certificate, and a connection lives on'
ask --limit-rate 1M -o answer "$url/v1/usage?month=2026-10&granularity=day" &
sleep 2
systemctl stop rbc-usage
wait $!
[ "$(systemctl is-active rbc-usage)" = inactive ]
echo "ok: a stop lets a request finish: $(wc -c <answer) bytes"
systemctl start rbc-usage
kill -KILL "$(systemctl show -P MainPID rbc-usage)"
sleep 4
ask "$url/healthz" >/dev/null
echo 'ok: a killed one is started again'
sed -i 's/^workers = 4/workers = many/' "$config"
! systemctl restart rbc-usage
sleep 18
[ "$(systemctl is-active rbc-usage)" = failed ]
journalctl -u rbc-usage -o cat --no-pager | grep -m 1 'workers: "many"'
sed -i -e 's/^workers = many/workers = 4/' "$config"
echo 'ok: starts in vain come to an end, and the journal says why'
sqlite3 /srv/sample/cloud_usage.db "delete from cloud_usage where id = (select max(id) from cloud_usage where usage_type = 1)"
sed -i 's/^OnCalendar=.*/OnCalendar=*:*:0\/2/; s/^Randomized.*/AccuracySec=1s/' /etc/systemd/system/rbc-usage-import.timer
systemctl daemon-reload
systemctl restart rbc-usage-import.timer
sleep 6
journalctl -u rbc-usage-import -o cat --no-pager | grep -m 1 'status=1'
echo 'ok: the timer imports, and an import that needs a look is a failed unit'
touch /root/again
systemctl reboot
END

status=0
boot || status=$?
# It wants to be started again.
[ "$status" != 133 ] || boot || true
cat "$root/root/told"
grep -q '^ok: after a reboot' "$root/root/told"
