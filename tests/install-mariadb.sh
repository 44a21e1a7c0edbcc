#!/bin/sh
# Makes sure that the tests find MariaDB's server and client programs. Only the programs: the tests
# start a private server themselves, so no service is installed or started.
set -eu

PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec
packages="mariadb-server-core mariadb-client-core"

found() {
    for program in mariadbd mariadb-install-db mariadb; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

if found; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-mariadb: the tests need mariadbd, mariadb-install-db and mariadb: as root, install $packages (Debian, Ubuntu) or mariadb-server and mariadb (others)" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # two words on purpose
apt-get install -qq -y --no-install-recommends $packages
found || {
    echo "install-mariadb: $packages are installed, but mariadbd, mariadb-install-db or mariadb is not on the PATH" >&2
    exit 1
}
