# The two commands a newcomer needs: `make run` and `make test`. Both make the environment first.
# PYTHON chooses the interpreter (3.11 or newer); nothing is installed outside .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
WHEEL_VENV := $(VENV)/wheel
NATIVE := $(VENV)/.native
NATIVE_SOURCES := $(STAMP) native/Cargo.toml native/Cargo.lock $(wildcard native/src/*.rs)

# The native module is an optional accelerator: without a compiler, or where it cannot be built, ingest and detection are the same but slower.
define build-native
if command -v cargo >/dev/null && cargo build --quiet --release --offline --locked --manifest-path native/Cargo.toml; then \
  place=$$($(1) -c 'import sysconfig; print(sysconfig.get_path("platlib"))'); \
  install -m 755 native/target/release/libopsonin_native.so "$$place/.opsonin_native.new"; \
  mv "$$place/.opsonin_native.new" "$$place/opsonin_native.abi3.so"; \
else echo "opsonin_native is not built (no cargo, or see above): everything runs without it" >&2; fi
endef

.DEFAULT_GOAL := help
.PHONY: help install run test check lint types imports wheel format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) $(NATIVE) ## make .venv from the lock; with the native module where cargo is found

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.x install" >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is missing (Debian, Ubuntu: apt install python3-venv)" >&2; exit 2; }
	@test -x $(UV) || $(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) sync --quiet --frozen --inexact --all-extras
	@touch $(STAMP)

$(NATIVE): $(NATIVE_SOURCES)
	@$(call build-native,$(BIN)/python); touch $(NATIVE)

run: install ## start the engine and play the recorded attack into it
	$(BIN)/opsonin run --config examples/run.toml --play examples/webshop

test: install ## the whole test suite
	$(BIN)/pytest $(PYTEST_ARGS)

check: lint types imports wheel ## everything but the suite in the checkout

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

wheel: install ## build the wheel; whether it is whole, and works alone
	rm -rf dist $(WHEEL_VENV)
	$(UV) build --quiet --wheel
	$(UV) venv --quiet --python $(BIN)/python $(WHEEL_VENV)
	$(UV) export --quiet --frozen --all-extras --no-dev --no-emit-project --output-file $(VENV)/requirements.txt
	$(UV) pip install --quiet --python $(WHEEL_VENV)/bin/python -r $(VENV)/requirements.txt dist/*.whl
	@$(call build-native,$(WHEEL_VENV)/bin/python)
	$(WHEEL_VENV)/bin/python -I deploy/wheel.py dist/*.whl

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what make made
	rm -rf $(VENV) dist build var native/target
