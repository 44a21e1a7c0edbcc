PREFIX = /usr/local
VERSION = $$(cargo pkgid | sed 's/.*[\#@]//')-1
MINUTES ?= 10
ATTACK ?= 60
TIMES ?= 20
CORE = import lines months seal verify crash:: runs status report explain findings reread domains identity

build:
	cargo build --release --locked

demo: build
	sh tests/demo.sh $${CARGO_TARGET_DIR:-target}/release/rbc-usage

# ENGINE=sqlite, mariadb or galera: with ledgers in that alone. Three nodes take what writes and what is
# told; a table that is locked on one of them does not block the others.
test:
ifeq ($(ENGINE),galera)
	sh tests/install.sh cluster
	ENGINE=galera cargo test --locked --test it -- $(CORE) --skip a_connection_that_is_cut_is_replaced
else
	sh tests/install.sh tests
ifneq ($(ENGINE),mariadb)
	cargo test --locked
endif
ifneq ($(ENGINE),sqlite)
	ENGINE=mariadb cargo test --locked --test it
endif
endif

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

check: lint test

api-test:
	sh tests/schemathesis.sh

systemd-test:
	sh tests/install.sh systemd
	sh tests/systemd.sh

page-test: build
	sh tests/install.sh pages
	sh tests/pages.sh $${CARGO_TARGET_DIR:-target}/release/rbc-usage target/axe/node_modules/axe-core/axe.min.js

alerts-test: build
	sh tests/install.sh alerts
	sh tests/alerts.sh $${CARGO_TARGET_DIR:-target}/release/rbc-usage

focus-test: build
	sh tests/install.sh focus
	sh tests/focus.sh $${CARGO_TARGET_DIR:-target}/release/rbc-usage

book-test: build
	sh tests/install.sh books
	sh tests/books.sh $${CARGO_TARGET_DIR:-target}/release/rbc-usage

soak:
	sh tests/install.sh tests
	MINUTES=$(MINUTES) cargo bench --locked --profile dev --bench soak

hostile:
	sh tests/install.sh tests
	ATTACK=$(ATTACK) cargo test --locked --release --test it hostile -- --test-threads=1 --nocapture

chaos:
	sh tests/install.sh cluster
	TIMES=$(TIMES) cargo test --locked --test it chaos -- --ignored --test-threads=1 --nocapture

fuzz:
	set -e; for target in head question users configuration; do \
	    cargo +nightly fuzz run $$target -- -max_total_time=$$(($(MINUTES) * 60)); done

bench:
	sh tests/install.sh bench
	cargo bench --locked --bench bench

compare:
	sh tests/install.sh tests
	cargo bench --locked --profile dev --bench compare

manual:
	rm -rf target/share
	cargo run --quiet --locked --example manual -- target/share

install: build manual
	install -D -m 0755 $${CARGO_TARGET_DIR:-target}/release/rbc-usage $(DESTDIR)$(PREFIX)/bin/rbc-usage
	find target/share -type f -printf '%P\n' | while read -r file; do \
	    install -D -m 0644 "target/share/$$file" "$(DESTDIR)$(PREFIX)/share/$$file" || exit 1; done

deb: build manual
	sh packaging/debian/stage.sh $(VERSION)
	cargo deb --quiet --no-build --locked --deb-version $(VERSION) --output target/deb

deb-test:
	sh tests/install.sh deb
	$(MAKE) deb
	OLD=$(OLD) sh tests/deb.sh $(VERSION)

clean:
	cargo clean
	rm -rf demo

.PHONY: build demo test lint check api-test page-test alerts-test focus-test book-test systemd-test soak hostile chaos fuzz bench compare manual install deb deb-test clean
