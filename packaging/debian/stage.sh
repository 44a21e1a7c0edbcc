#!/bin/sh
# stage.sh VERSION: what the package has in a form of its own, into target/deb: files that name the program where a
# package puts it, and the changelog that Debian wants.
set -eu
cd "$(dirname "$0")/../.."

mkdir -p target/deb
rm -f target/deb/*.*
for file in rbc-usage.service rbc-usage-import.service rbc-usage-import.timer rbc-usage-backup.service \
    rbc-usage-backup.timer supervisor.conf; do
    sed 's|/usr/local/bin/|/usr/bin/|' "packaging/$file" >"target/deb/$file"
done
maintainer=$(sed -n 's/^maintainer = "\(.*\)"$/\1/p' Cargo.toml)
cat >target/deb/changelog <<END
rbc-usage ($1) unstable; urgency=medium

  * What is new: /usr/share/doc/rbc-usage/CHANGELOG.md.gz.

 -- $maintainer  $(LC_ALL=C date -R -u -r CHANGELOG.md)
END
