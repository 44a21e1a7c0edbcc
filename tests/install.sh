#!/bin/sh
# install.sh tests|cluster|pages|bench|alerts|focus|books|systemd|deb: makes sure that the programs these need are installed.
# For the tests: a MariaDB server, its client, man, and what the pages of docs/ use. For a cluster of servers also Galera and
# what its nodes copy themselves with. For the bench also nginx, which
# figures are compared with, and wrk, which asks both. For what a browser shows Chromium, and axe-core from npm, which
# judges it. For the alert rules promtool. For FOCUS and workbooks what reads them, from PyPI. For systemd in a container
# what makes and boots one; for the package also what builds and judges it. The tests and the bench start their own
# servers: no service is started here.
set -eu

PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec
programs="mariadbd mariadb-install-db mariadb curl jq man openssl sqlite3"
packages="mariadb-server mariadb-client curl jq man-db openssl sqlite3"
modules=
case ${1:-} in
tests) ;;
cluster)
    programs="$programs rsync socat lsof"
    packages="$packages galera-4 rsync socat lsof"
    ;;
bench)
    programs="$programs nginx wrk"
    packages="$packages nginx-light wrk"
    ;;
pages)
    programs="chromium curl sqlite3 unzip npm"
    packages="chromium curl sqlite3 unzip npm"
    ;;
alerts)
    programs="promtool jq curl"
    packages="prometheus jq curl"
    ;;
focus)
    programs="python3"
    packages="python3-venv"
    # Newer versions of what focus-validator stands on break a rule of it, or the whole.
    modules="focus_validator==1.0.0 multimethod<2 pandas<2.2 sqlalchemy<2 pycountry"
    ;;
books)
    programs="python3"
    packages="python3-venv"
    modules="openpyxl"
    ;;
systemd)
    programs="debootstrap systemd-nspawn"
    packages="debootstrap systemd-container"
    ;;
deb)
    programs="debootstrap systemd-nspawn lintian dpkg-shlibdeps"
    packages="debootstrap systemd-container lintian dpkg-dev"
    command -v cargo-deb >/dev/null 2>&1 || cargo install --quiet --locked cargo-deb
    ;;
*)
    echo "usage: sh tests/install.sh tests|cluster|pages|bench|alerts|focus|books|systemd|deb" >&2
    exit 1
    ;;
esac

missing() {
    for program in $programs; do
        command -v "$program" >/dev/null 2>&1 || echo "$program"
    done
    [ -z "$modules" ] || python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

# What is from PyPI is in an environment of its own.
install_modules() {
    environment=${CARGO_TARGET_DIR:-target}/python/$1
    if [ -n "$modules" ] && [ "$modules" != "$(cat "$environment/modules" 2>/dev/null)" ]; then
        python3 -m venv --clear "$environment"
        # shellcheck disable=SC2086  # a list of modules
        "$environment/bin/pip" install --quiet --disable-pip-version-check $modules
        echo "$modules" >"$environment/modules"
    fi
}

# What npm brings lies in the project, and is there once; of a version whose rules are known.
add_axe() {
    axe=target/axe/node_modules/axe-core/package.json
    if [ "$1" = pages ] && ! grep -q '"version": "4.14.1"' "$axe" 2>/dev/null; then
        npm install --prefix target/axe --no-save --no-audit --no-fund --silent axe-core@4.14.1
    fi
}

if [ -z "$(missing)" ]; then
    install_modules "$1"
    add_axe "$1"
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install: not found:" $(missing)"; install the packages $packages" >&2
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
# shellcheck disable=SC2086  # a list of packages
apt-get install -qq -y --no-install-recommends $packages
if [ -n "$(missing)" ]; then
    echo "install: still not found:" $(missing) >&2
    exit 1
fi
install_modules "$1"
add_axe "$1"
