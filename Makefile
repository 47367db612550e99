# make run      the live dream, at http://127.0.0.1:8080      make run ARGS="configs/original_2015.yaml --set zoom.speed=1.1"
# make quick    the fast tests, in half a minute
# make test     all tests, side by side                       make test ARGS="tests/test_config.py -k error"      make test JOBS=1
# make check    ruff and mypy
# make docs     the reference of the public modules, in out/reference
# make bench    a benchmark                                   make bench BENCH=interpolation ARGS=--speed
# make bench-gpu  times the step on a GPU, and runs the tests that want one: under four minutes
# make train-bundled DATA=tiny-imagenet-200    trains the bundled networks and exports them; wants a GPU (assets/bundled_net.md)
#                                              WORK=out/bundled  ARGS="--epochs 60 --widths 32-64-128-256-384"
# make clean    removes .venv and everything made
#
# The first call makes .venv and installs into it (tools/install.py); later ones start at once.

PYTHON ?= python3
ARGS ?=
JOBS ?=
BENCH ?= recognition
DATA ?=
WORK ?= out/bundled
BIN := .venv/bin
# Tests wait for processes and servers about as long as they compute; the fast ones do not.
MORE_THAN_CORES = $(shell $(PYTHON) -c 'import os; cores = os.cpu_count() or 1; print(max(cores, min(2 * cores, 8)))')
workers = $(if $(filter 1,$(1)),,-n $(1) --dist loadfile)

# Compiled modules are kept, whatever the shell says: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run quick test check docs bench bench-gpu train-bundled clean
.DELETE_ON_ERROR:

run: .make/run
	@$(BIN)/zoomdream run $(ARGS)

quick: .make/dev
	ZOOMDREAM_TEST_QUICK=1 $(BIN)/python -m pytest $(call workers,$(or $(JOBS),auto)) $(ARGS)

test: .make/dev
	$(BIN)/python -m pytest $(if $(ARGS),,$(call workers,$(or $(JOBS),$(MORE_THAN_CORES)))) $(ARGS)

check: .make/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p streamer -p bot -p shared
	$(BIN)/mypy --config-file tools/mypy_scripts.ini

docs: .make/dev
	$(BIN)/python -W error tools/build_reference.py $(ARGS)

bench: .make/dev
	@PYTHONPATH=.:tools $(BIN)/python benchmarks/$(BENCH).py $(ARGS)

bench-gpu: .make/dev
	@PYTHONPATH=. $(BIN)/python benchmarks/step.py --device cuda --network vgg16 --network squeezenet1_1 --network bundled \
	    --size 840x472 --steps 200 --seconds 90 $(ARGS)
	@PYTHONPATH=. $(BIN)/python benchmarks/step.py --device cuda --network vgg16 --size 1280x720 --steps 200 --seconds 45 $(ARGS)
	$(BIN)/python -m pytest -m gpu

# Repeated after an interruption, it goes on where it stopped.
train-bundled: .make/run
	@test -n "$(DATA)" || { echo "say where the data is: make train-bundled DATA=tiny-imagenet-200 (assets/bundled_net.md)" >&2; exit 2; }
	$(BIN)/python tools/train_bundled_net.py train $(DATA) --work $(WORK) $(ARGS)
	$(BIN)/python tools/train_bundled_net.py export $(DATA) --work $(WORK) --out $(WORK)/bundled_net.safetensors

clean:
	rm -rf .venv .make .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find streamer bot shared tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# With what tests and checks need; enough for a run, too.
.make/dev: pyproject.toml tools/install.py
	@$(PYTHON) tools/install.py dev imagenet
	@mkdir -p .make
	@touch .make/run $@

.make/run: pyproject.toml tools/install.py
	@$(PYTHON) tools/install.py twitch imagenet
	@mkdir -p .make
	@touch $@
