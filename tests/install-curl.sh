#!/bin/sh
# Makes sure that the tests find curl, one of the clients they ask the server with.
set -eu

if command -v curl >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-curl: curl not found: install the package curl" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends curl
