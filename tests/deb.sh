#!/bin/sh
# deb.sh VERSION: the package of target/deb, through its life in a small Debian with a systemd of its own: installed in
# an earlier version, configured, importing and serving; upgraded, also with a ledger of another schema; removed,
# installed again and purged. What is left is compared with what there was before. Lintian has a look first. Needs root,
# Debian or Ubuntu.
#
# With OLD=FILE, the program of a release before, the earlier version has that one.
set -eu
cd "$(dirname "$0")/.."
. tests/container.sh

package=target/deb/rbc-usage_$1_$(dpkg --print-architecture).deb
lintian --allow-root --fail-on error,warning --display-level '>=warning' "$package"
echo 'ok: lintian'
make_root multi-user.target
mkdir "$root/root/packages"
cp "$package" "$root/root/packages/new.deb"
cargo deb --quiet --no-build --locked --deb-version "$1~before" --output "$root/root/packages/old.deb" >/dev/null
if [ -n "${OLD:-}" ]; then
    dpkg-deb --raw-extract "$root/root/packages/old.deb" "$folder/old"
    install -m 0755 "$OLD" "$folder/old/usr/bin/rbc-usage"
    # Later keys are none that it knows.
    sed -i '/^\[import\]/,$d' "$folder/old/usr/share/rbc-usage/cloudusage.cfg"
    dpkg-deb --root-owner-group --build "$folder/old" "$root/root/packages/old.deb" >/dev/null
fi
cat >"$root/root/try" <<'END'
set -eu
cd /root/packages
config=/etc/rbc-usage/cloudusage.cfg
ledger=/var/lib/rbc-usage/usage.db
export DEBIAN_FRONTEND=noninteractive
trap '[ $? = 0 ] || { echo failed; cat said 2>/dev/null; journalctl -n 30 --no-pager; }; systemctl poweroff' EXIT
install() { dpkg --install "$1" >said 2>&1 </dev/null; }
as_user() { runuser -u rbc-usage -- "$@"; }
state() { systemctl is-active "$1" || true; }
process() { systemctl show -P MainPID rbc-usage; }
healthy() { curl -sS --fail http://127.0.0.1:8888/healthz >/dev/null; }
# `! command` is none of `set -e`'s failures.
fails() { if "$@" >/dev/null 2>&1; then echo "unlike it should, this did not fail: $*"; exit 1; fi; }
mode() { stat -c '%a %U:%G' "$1"; }
# Everything that lasts, but what is this test's, dpkg's and the system's own.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /root \
        -o -path /srv -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/systemd/catalog \
        -o -path '/etc/*-' -o -path /etc/.pwd.lock \) -prune -o -print | sort
}
nothing_runs() {
    for unit in rbc-usage.service rbc-usage-import.service rbc-usage-import.timer rbc-usage-backup.timer; do
        [ "$(state "$unit")" = inactive ]
    done
}
files >before
cat /etc/passwd /etc/group >users
install old.deb
nothing_runs
[ "$(systemctl is-enabled rbc-usage.service)" = disabled ]
[ "$(systemctl is-enabled rbc-usage-import.timer)" = disabled ]
[ ! -e "$ledger" ]
[ "$(mode "$config")" = '640 root:rbc-usage' ]
[ "$(mode /etc/rbc-usage)" = '750 root:rbc-usage' ]
[ "$(mode /var/lib/rbc-usage)" = '750 rbc-usage:rbc-usage' ]
fails runuser -u nobody -- cat "$config"
as_user test -r "$config"
cmp "$config" /usr/share/rbc-usage/cloudusage.cfg
systemd-analyze verify /usr/lib/systemd/system/rbc-usage*
echo 'ok: installed; nothing is enabled or runs, and only root and rbc-usage read the configuration'
install new.deb
[ "$(wc -l <said)" -lt 6 ]
fails grep initdb said
install old.deb
echo 'ok: an upgrade of what is not set up says nothing'
rbc-usage sample /srv/sample >/dev/null
sed -i -e 's|^\(cloud.*\)_uri = .*|\1_uri = sqlite:////srv/sample/\1.db|' -e 's|^timezone =.*|timezone = Europe/Stockholm|' "$config"
as_user rbc-usage initdb
systemctl enable --quiet --now rbc-usage.service rbc-usage-import.timer
systemctl start rbc-usage-import.service
[ "$(sqlite3 -readonly "$ledger" 'select count(*) from days')" = 40 ]
healthy
echo 'ok: imports and serves'
first=$(process)
cp "$config" edited
install new.deb
healthy
if grep 'run rbc-usage initdb' said; then
    [ "$(process)" = "$first" ]
    as_user rbc-usage initdb
    systemctl try-restart rbc-usage
    healthy
fi
second=$(process)
[ "$first" != "$second" ]
cmp "$config" edited
[ "$(mode "$config")" = '640 root:rbc-usage' ]
[ "$(state rbc-usage-import.timer)" = active ]
echo 'ok: upgraded; the server is the new one, and the configuration what it was'
schema=$(sqlite3 -readonly "$ledger" 'pragma user_version')
sqlite3 "$ledger" 'pragma user_version = 1'
install new.deb
grep -A 3 'run rbc-usage initdb' said
[ "$(sqlite3 -readonly "$ledger" 'pragma user_version')" = 1 ]
[ "$(process)" = "$second" ]
sqlite3 "$ledger" "pragma user_version = $schema"
echo 'ok: a ledger of another schema stays as it is, and so does the server'
systemctl stop rbc-usage.service
install new.deb
[ "$(state rbc-usage.service)" = inactive ]
systemctl start rbc-usage.service
echo 'ok: an upgrade starts no server that was stopped'
dpkg --remove rbc-usage >said 2>&1
nothing_runs
fails healthy
[ ! -e /usr/bin/rbc-usage ]
cmp "$config" edited
[ -e "$ledger" ]
echo 'ok: removed; configuration and ledger are there'
install new.deb
nothing_runs
cmp "$config" edited
echo 'ok: installed again; it finds its configuration, and nothing runs'
dpkg --purge rbc-usage >said 2>&1
grep 'the ledger stays' said
files | sed '\|^/var/lib/rbc-usage|d' | diff before -
[ "$(mode "$ledger")" = '600 rbc-usage:rbc-usage' ]
echo 'ok: purged; the ledger and its owner are all that is left'
install new.deb
rm -r /var/lib/rbc-usage/*
dpkg --purge rbc-usage >said 2>&1
fails grep 'the ledger stays' said
files | diff before -
cat /etc/passwd /etc/group | cmp users -
echo 'ok: purged without a ledger; nothing is left'
END
# As in the making of an image.
cat >"$root/root/without-systemd" <<'END'
set -e
dpkg --install /root/packages/new.deb
runuser -u rbc-usage -- test -r /etc/rbc-usage/cloudusage.cfg
rbc-usage --version
dpkg --purge rbc-usage
[ ! -e /etc/rbc-usage ]
[ ! -e /var/lib/rbc-usage ]
[ -z "$(grep rbc-usage /etc/passwd /etc/group)" ]
END
in_container sh /root/without-systemd || {
    cat "$folder/log"
    exit 1
}
echo 'ok: installed and purged where no systemd runs'
boot || true
cat "$root/root/told"
grep -q '^ok: purged without a ledger' "$root/root/told"
