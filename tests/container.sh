# Sourced by tests that need a system of their own, from the root of the project, as root: a small Debian in a container
# with a systemd that boots, SUITE=trixie for another than bookworm. The Debian stays in target/; each test works on a
# copy, $root, which runs /root/try when it has booted and leaves what it prints in /root/told.

suite=${SUITE:-bookworm}
debian=target/debian-$suite
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
root=$folder/root

# make_root UNIT: UNIT is the one after which /root/try runs.
make_root() {
    if [ ! -d "$debian" ]; then
        rm -rf "$debian.new"
        packages=systemd,systemd-sysv,dbus,curl,openssl,sqlite3
        debootstrap --variant=minbase --include="$packages" "$suite" "$debian.new" >target/debootstrap.log
        mv "$debian.new" "$debian"
    fi
    cp -a --reflink=auto "$debian" "$root"
    : >"$root/etc/machine-id"
    echo '127.0.0.1 localhost usage.example.com' >"$root/etc/hosts"
    printf '[Unit]\nAfter=%s\n[Service]\nExecStart=sh -c "exec sh /root/try >>/root/told 2>&1"\n' "$1" \
        >"$root/etc/systemd/system/try.service"
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -s ../try.service "$root/etc/systemd/system/multi-user.target.wants/try.service"
}

# in_container WORDS: what systemd-nspawn prints and runs goes into $folder/log.
in_container() {
    # Where no systemd runs that could be told of it.
    [ -d /run/systemd/system ] || set -- --register=no --keep-unit "$@"
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 300 systemd-nspawn --quiet --directory="$root" --private-network \
        --machine=rbc-usage-try --console=pipe "$@" </dev/null >>"$folder/log" 2>&1
}

# Until it is powered off. Exit code 133 if it wants to be started again.
boot() {
    in_container --boot
}
