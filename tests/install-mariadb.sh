#!/bin/sh
# Makes sure that the tests find MariaDB's server and client. The tests start a private server
# themselves: no service is started here.
set -eu

PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec

found() {
    for program in mariadbd mariadb-install-db mariadb; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

if found; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-mariadb: mariadbd, mariadb-install-db or mariadb not found: install the packages mariadb-server and mariadb-client" >&2
    exit 1
fi

# Debian starts a service as soon as its package is installed, unless this file says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends mariadb-server mariadb-client
found
