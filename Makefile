# Every command a developer types. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test check fix bench acceptance chaos mutants corpus fuzz layers sizes clean-demo

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

setup: ## install the native packages that are missing (Debian, Ubuntu)
	@.ci/setup

setup-test:
	@.ci/setup test

demo: ## render a real composition and leave demo.mp4
	@begun=$$(date +%s) && .ci/setup && installed=$$(date +%s) && \
	cargo build --release --locked -p framelane -p chaos --bin framelane --bin demo && \
	built=$$(date +%s) && \
	bin="$${CARGO_TARGET_DIR:-target}/release" && \
	"$$bin/demo" --binary "$$bin/framelane" --out demo.mp4 && \
	ended=$$(date +%s) && \
	echo "demo.mp4 is ready: packages $$((installed - begun)) s, build $$((built - installed)) s, render $$((ended - built)) s, all $$((ended - begun)) s"

clean-demo: ## remove what the demo left
	@rm -f demo.mp4

test: ## everything: units, properties, goldens, media, end to end with the real binary
	@begun=$$(date +%s) && .ci/setup test && installed=$$(date +%s) && \
	cargo test --workspace --locked --no-run && built=$$(date +%s) && \
	FRAMELANE_REQUIRE_GPU=1 FRAMELANE_REQUIRE_YTDLP=1 cargo test --workspace --locked --no-fail-fast && \
	.ci/schema-check "$${CARGO_TARGET_DIR:-target}/debug/framelane" 10 && \
	ended=$$(date +%s) && \
	echo "make test: ok; packages $$((installed - begun)) s, build $$((built - installed)) s, tests $$((ended - built)) s"

check: ## everything that can be checked without running the product; writes nothing
	cargo fmt --all --check
	.ci/optional taplo taplo fmt --check
	.ci/optional typos typos
	.ci/layers
	.ci/sizes
	.ci/links
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p framelane --all-targets --no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	.ci/optional cargo-deny cargo deny --all-features check
	.ci/optional cargo-machete cargo machete
	@echo "make check: ok"

fix: ## the writing twin of check
	cargo fmt --all
	.ci/optional taplo taplo fmt
	.ci/optional typos typos --write-changes
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

acceptance: setup-test ## the acceptance list at full size, with figures (CLAIMS="b h")
	cargo build --release --locked -p framelane -p chaos --bins
	@bin="$${CARGO_TARGET_DIR:-target}/release" && "$$bin/acceptance" --binary "$$bin/framelane" $(or $(CLAIMS),all)

bench: ## wall time against ffmpeg doing the same composition
	@$(MAKE) --no-print-directory acceptance CLAIMS=j

chaos: setup-test ## simulate 5000 seeds (SEEDS=n), kill things at random for a minute, ask the checkers
	FRAMELANE_SEEDS=$(or $(SEEDS),5000) cargo test -p cluster --lib --locked raft::simulation -- --nocapture
	cargo build --release --locked -p framelane -p chaos --bins
	@bin="$${CARGO_TARGET_DIR:-target}/release" && "$$bin/chaos" --binary "$$bin/framelane"

mutants: setup-test ## undo what the simulation holds, one thing at a time: each time seeds must fail (SEEDS=n)
	@.ci/mutants $(or $(SEEDS),300)

corpus: setup-test ## write the corpus of media files to target/corpus (OUT=dir, ONLY=text)
	@cargo run --release --locked -p chaos --bin corpus -- --out $(or $(OUT),target/corpus) $(if $(ONLY),--only $(ONLY))

fuzz: ## search for inputs that break parsers, 20 minutes each (TARGETS="mp4 ogg", TIME=60s)
	@.ci/fuzz $(or $(TIME),20m) $(TARGETS)

layers: ## dependencies point the right way
	@.ci/layers

sizes: ## source files are of a readable size
	@.ci/sizes
