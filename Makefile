# Needs Node 20 or newer with npm, and make; the Node that everything runs on comes with the install.
.DEFAULT_GOAL := help
.PHONY: up test test-system test-long prove-move demo bench bench-move bench-story bench-images check help
MAKEFLAGS += --no-print-directory

BIN := ./node_modules/.bin
NODE := $(BIN)/node
INSTALLED := node_modules/.installed
MOCHA := $(NODE) node_modules/mocha/bin/mocha.js --reporter ./tools/reporter.ts
# Suites of their own do without .mocharc.json, whose files would be added to theirs.
SUITE := $(MOCHA) --no-config --extension ts --require ./test/support/hooks.ts --forbid-only --forbid-pending
# Scripts of npm packages start with `env node`: they too get ours.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

up: $(INSTALLED) ## Install, then run the shop, the image-api, the email-api and the router until Ctrl-C
	@exec $(NODE) tools/up.ts --under-make

test: $(INSTALLED) ## Types, lint, format, and every test that needs no root
	@$(MAKE) check || { echo '0 passed, 1 failed'; exit 1; }
	@exec $(MOCHA)

test-system: $(INSTALLED) ## Tests on real programs from Debian (root installs what is missing)
	@tools/system-deps || { echo '0 passed, 1 failed'; exit 1; }
	@exec $(SUITE) --timeout 120000 'test/system/**/*.test.ts'

test-long: $(INSTALLED) ## The full-length randomised runs (with the programs of test-system)
	@tools/system-deps || { echo '0 passed, 1 failed'; exit 1; }
	@FUZZ_FACTOR=$${FUZZ_FACTOR:-300} exec $(SUITE) --timeout 3600000 'test/long/**/*.test.ts' 'router/http/*.test.ts' router/ramp/gate-alarms.test.ts

prove-move: $(INSTALLED) ## Writes through both sides of a move while all is killed: SECONDS=60 SEED=7
	@exec $(NODE) test/move/prove.ts

demo: $(INSTALLED) ## The story in a terminal, in under two minutes
	@exec $(NODE) tools/demo.ts

bench: $(INSTALLED) ## The router beside nginx, haproxy and the Node proxies
	@exec $(NODE) bench/run.ts

bench-move: $(INSTALLED) ## The figures of an online move, between two Postgres servers
	@exec $(NODE) bench/move/run.ts

bench-story: $(INSTALLED) ## The storefront under a storm of uploads, monolith alone and images extracted
	@exec $(NODE) bench/story/run.ts

bench-images: $(INSTALLED) ## The image-api beside raw sharp, ipx and nginx image_filter
	@exec $(NODE) bench/images/run.ts

check: $(INSTALLED) ## Types, lint, format
	@$(BIN)/tsc --noEmit
	@$(BIN)/tsc --noEmit -p router/admin/console
	@$(BIN)/oxlint --quiet
	@$(BIN)/prettier --check --log-level warn .

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# The stamp is written last, so an install that was cut short is done again. Whoever omits development or optional packages by
# setting (NODE_ENV=production, npm's omit) would miss the compiler, Node 24 and Postgres.
$(INSTALLED): package-lock.json
	npm ci --include=dev --include=optional --no-fund --no-audit
	@touch $@
