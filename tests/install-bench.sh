#!/bin/sh
# Makes sure that `make bench` finds nginx, which its figures are compared with, and wrk, which asks both. The
# bench starts its own nginx: no service is started here.
set -eu

PATH=$PATH:/usr/sbin

found() {
    for program in nginx wrk; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

if found; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-bench: nginx or wrk not found: install the packages nginx-light and wrk" >&2
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
apt-get install -qq -y --no-install-recommends nginx-light wrk
found
