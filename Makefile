# The two commands of a fresh checkout are `make demo` and `make test`; both install what they miss.

# A toolchain that was just installed is often not on the PATH of the shell that installed it.
export PATH := $(PATH):$(HOME)/.cargo/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test torture isolation tidy-proof audit-proof upgrade-proof folders fuzz bench coverage pictures fixture build lint doc deny fmt deps test-deps

# The demo reads this terminal: with one it opens the console, without one it prints a summary.
# Built quickly rather than optimised: see the profile in Cargo.toml.
demo: deps
	@test -x $(TARGET)/demo/tenantry || echo "make: building the demo; the first time takes a few minutes" >&2
	cargo build --profile demo
	$(TARGET)/demo/tenantry demo

# Not nextest: a fresh machine lacks it, and one process lets the tests share a PostgreSQL cluster.
# A test waits for servers for nearly half of its time: six at once keep two cores busy.
# In memory where there is room: on a disk, finding inodes for databases that come and go takes up to a sixth of the CPU.
test: test-deps
	cargo build --workspace
	TENANTRY_TEST_ROOT=$$(scripts/test-root) RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$(($$(nproc) * 3))} cargo test --workspace

# Breaks operations at every point and in every way, and judges what is left; takes the better part of an hour on 2 cores.
# RUNS=n random runs, SEED=s, and more in TORTURE="--part grid --cells 300 --workers 4 --resume --postgresql-18 --only TEXT".
torture: test-deps
	scripts/histories 100000
	cargo test --workspace --test torture -- --runs $(or $(RUNS),500) --seed $(or $(SEED),1) $(TORTURE)

# Attacks tenants of all tenancies on PostgreSQL 15 and 18, plants misconfigurations that the verifier must catch, and writes
# docs/penetration-report.md; measured, so in release. ISOLATION="--idle 600": tenants take all connections of a server, after
# ten minutes of rest.
isolation: test-deps
	cargo build --release --workspace
	cargo test --release --workspace --test isolation -- $(ISOLATION)

# Whatever a fuzzer comes up with, held to the invariants of the property tests: FUZZ_TIME seconds for each target of fuzz/.
fuzz: deps
	scripts/fuzz $(or $(FUZZ_TIME),60)

# Counts what keeps the source easy to extend; applies, compiles and takes back an example of each way to extend it.
tidy-proof: test-deps
	scripts/tidy-proof "$(TARGET)"

# Tampers with audit trails in every way and at every place, cuts work off, reads and verifies a million events; measured, so
# in release. AUDIT="--part verifier --runs 100 --events 100000" does less of it.
audit-proof: test-deps
	cargo build --release --workspace
	cargo test --release --workspace --test audit -- $(AUDIT)

# Upgrades of many tenants beside the least that PostgreSQL needs, with blockers, pauses and crashes; measured, so in release.
# UPGRADE="--part fleet --tenants 200" does less of it.
upgrade-proof: test-deps
	cargo build --release --workspace
	cargo test --release --workspace --test upgrades -- $(UPGRADE)

# Folders of migrations as they are, on PostgreSQL 15 and 18: each has what its files make by themselves, or is refused with its reason.
# FOLDERS="--only flyway": only those folders.
folders: test-deps
	cargo build --release --workspace
	cargo test --release --workspace --test folders -- $(FOLDERS)

# Ours beside the least that PostgreSQL needs, interleaved; BENCH="--rounds 5 --tenants 100 --blueprint PATH" changes it.
bench: test-deps
	cargo build --release
	cargo bench -p tenantry-tests --bench provision -- --json "$(abspath $(TARGET))/bench.json" $(BENCH)

# Every test again, with a build of its own in target/coverage; installs llvm-tools and cargo-llvm-cov where they lack.
coverage: test-deps
	scripts/coverage "$(TARGET)"

# The console's pictures in docs/pictures, drawn anew from a real console on a real daemon.
pictures: test-deps
	TENANTRY_DRAW=1 cargo test --workspace --test e2e -- --exact console::pictures::the_console_is_as_the_pictures_show_it

# What this release leaves behind, kept in tests/fixtures for the releases that come: once for each release, before it is tagged.
fixture: test-deps
	TENANTRY_FIXTURE=1 cargo test --workspace --test e2e -- --exact \
	    service::releases::an_installation_of_every_kind_of_tenant_can_be_kept_for_later_releases

build:
	cargo build --workspace

# The proofs are no tests, so that "all targets" leaves them out.
lint:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --test torture --test isolation --test audit --test upgrades --test folders -- -D warnings

# What the libraries' documentation says is read by rustdoc, and every link in it leads somewhere.
doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items

# Licences, known vulnerabilities, sources and second copies of what is depended on, as deny.toml allows them.
deny:
	scripts/deny

fmt:
	cargo fmt --all

deps:
	@scripts/install-deps demo

# A machine that cannot have PostgreSQL 18 still runs everything else; the tests that need it fail and say so.
test-deps:
	@scripts/install-deps test
	@scripts/fetch-postgresql-18 "$(TARGET)/postgresql-18" || echo "make: the tests on PostgreSQL 18 will fail" >&2
