# make run      the live dream, at http://127.0.0.1:8080      make run ARGS="configs/original_2015.yaml --set zoom.speed=1.1"
# make test     the tests                                     make test ARGS="tests/test_config.py -k error"
# make check    ruff and mypy
# make bench    a benchmark                                   make bench BENCH=interpolation ARGS=--speed
# make clean    removes .venv and everything made
#
# The first call makes .venv and installs into it (tools/install.py); later ones start at once.

PYTHON ?= python3
ARGS ?=
BENCH ?= recognition
BIN := .venv/bin

.PHONY: run test check bench clean
.DELETE_ON_ERROR:

run: .make/run
	@$(BIN)/zoomdream run $(ARGS)

test: .make/dev
	$(BIN)/python -m pytest $(ARGS)

check: .make/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p streamer -p bot

bench: .make/dev
	@PYTHONPATH=. $(BIN)/python benchmarks/$(BENCH).py $(ARGS)

clean:
	rm -rf .venv .make .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find streamer bot tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# With what tests and checks need; enough for a run, too.
.make/dev: pyproject.toml tools/install.py
	@$(PYTHON) tools/install.py dev imagenet
	@mkdir -p .make
	@touch .make/run $@

.make/run: pyproject.toml tools/install.py
	@$(PYTHON) tools/install.py twitch imagenet
	@mkdir -p .make
	@touch $@
