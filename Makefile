# Two commands on a fresh machine: `make run` installs and runs the main job, `make test` installs and runs the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
METHODS ?= darts,snas,drnas,ostr
# Not results/, which holds the committed runs: they are done, and what is done is not made again.
OUT ?= runs/results
ARGS ?=
# A search takes one thread on a CPU, so that as many run at a time as there are cores; on a GPU one after the other.
JOBS ?= $(shell if command -v nvidia-smi >/dev/null; then echo 1; else nproc 2>/dev/null || echo 2; fi)

# Without an NVIDIA GPU the CPU build of torch is enough, and spares gigabytes of CUDA libraries on Linux.
CPU_TORCH := "torch==2.13.0+cpu" --extra-index-url https://download.pytorch.org/whl/cpu --retries 1
TORCH := $(shell if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then echo '$(CPU_TORCH)'; else echo '"torch>=2.11"'; fi)

CONSTRAINTS := -c constraints.txt

.PHONY: run test check docs clean

run: $(VENV)/.installed
	$(BIN)/python -m benchharness run --methods $(METHODS) --jobs $(JOBS) --out $(OUT) $(ARGS)

test: check
	$(BIN)/python -m pytest -n logical --dist worksteal $(ARGS)

# Everything that needs no test to run: style, types, and who may import whom.
check: $(VENV)/.tested
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Exact releases, the same on every machine; `make CONSTRAINTS=` takes the newest that fit.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(TORCH)
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e .
	touch $@

# The documentation into site/, strictly: a broken link, or a page that the menu lacks, is an error.
docs: $(VENV)/.documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e '.[test]'
	touch $@

$(VENV)/.documented: $(VENV)/.installed
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site
