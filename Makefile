# Sidereal's commands. Everything that they fetch or make lies in target/, data/, web-app/node_modules and web-app/dist.
.DEFAULT_GOAL := help
.PHONY: help build web check test charts demo bench
export PYTHON ?= python3

# The demo's image and the place to cut, degrees (ICRS).
IMAGE ?=
RA ?= 250.4226
DEC ?= 36.4602
demo_image = $(or $(IMAGE),target/demo/m13.fits)

# The web app: what npm has installed, what Vite has built, and of what.
installed = web-app/node_modules/.package-lock.json
built = web-app/dist/index.html
web_sources = openapi/sidereal.json $(shell find web-app \( -name node_modules -o -name dist -o -name schema.gen.ts \) \
	-prune -o -type f -print)

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

build: ## The server, optimised: target/release/sidereal
	cargo build --release --locked

web: $(installed) ## The web app's lints, types and tests, and its build: web-app/dist
	cd web-app && npm run lint && npm run typecheck && npm test && npm run build

$(installed): web-app/package.json web-app/package-lock.json
	cd web-app && npm ci --no-audit --no-fund

$(built): $(installed) $(web_sources)
	cd web-app && npm run build

check: ## Formatting, lints, dependencies, drift of openapi/sidereal.json
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	tests/setup/cargo-deny.sh
	cargo run --quiet --locked -- openapi --check

test: web ## All tests, on SQLite and a folder and on PostgreSQL and S3; brings what they need
	tests/setup/packages.sh
	tests/setup/python.sh
	# Most of a test is waiting: more of them at once than there are cores.
	keycloak=$$(tests/setup/keycloak.sh) && SIDEREAL_TEST_KEYCLOAK="$$keycloak" RUST_TEST_THREADS=4 \
		tests/setup/postgres.sh cargo test --locked
	$(MAKE) --no-print-directory charts
	keycloak=$$(tests/setup/keycloak.sh) && cd web-app && SIDEREAL_TEST_KEYCLOAK="$$keycloak" npm run e2e

charts: ## The tests of what deploys it: chart, Okteto, workflows, docs; on a control plane of their own
	tests/setup/python.sh charts
	cargo build --locked
	kubernetes=$$(tests/setup/kubernetes.sh) && keycloak=$$(tests/setup/keycloak.sh) && \
		SIDEREAL_TEST_KUBERNETES="$$kubernetes" SIDEREAL_TEST_KEYCLOAK="$$keycloak" \
		tests/setup/postgres.sh target/venv-charts/bin/python -m pytest tests/charts

# Without npm it goes without the web app.
demo: $(if $(shell command -v npm),$(built)) ## Cut stars out of a real image, then keep serving (ONCE=1: end; IMAGE=, RA=, DEC=: yours)
	$(if $(IMAGE),,tests/setup/demo-image.sh)
	cargo build --locked
	target/debug/sidereal demo $(if $(ONCE),--once) --image "$(demo_image)" --ra "$(RA)" --dec "$(DEC)"

bench: ## Measurements beside peers; see benches/README.md
	benches/run
