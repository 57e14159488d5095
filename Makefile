# Two commands matter: `make demo` and `make test`. Each makes .venv and installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint deploy/constraints.txt
# torch comes first, so that nothing pulls a second build of it. TORCH_INDEX picks the CPU or a CUDA build.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=

.PHONY: demo test test-slow test-cluster lint format bench-serving bench-drift bench-gate bench-scale bench-train bench-launch bench-prepare bench-tasks clean

demo: $(VENV)/.installed-demo
	$(BIN)/tuneloop demo $(ARGS)

# Two processes, a file each at a time: many tests wait for servers. One thread each, so that torch's do not fight.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not cluster" -n 2 --dist loadfile $(ARGS)

test-slow: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m slow -n 2 --dist loadfile $(ARGS)

# A Ray cluster, hosts in network namespaces, machines that are lost: many processes, which a busy machine starves.
test-cluster: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m cluster $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=platform:plugins $(BIN)/mypy
	$(BIN)/lint-imports

# Serving beside BentoML, FastAPI, LitServe, MLServer and ONNX Runtime alone; see tests/bench/README.md.
bench-serving: $(VENV)/.installed-bench
	$(BIN)/python -m tests.bench.serving $(ARGS)

# False alarms, power and delay of drift alerts. TUNELOOP_BENCH_EVIDENTLY=PYTHON, an environment with Evidently, checks it too.
bench-drift: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.drift $(ARGS)

# How often equal, better and worse challengers pass the gate, in one attempt and in twenty.
bench-gate: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.gate $(ARGS)

# What a request, a stored answer, a series and a replica cost here, and what a load needs; see deploy/SCALE.md.
bench-scale: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.scale $(ARGS)

# What training costs beside a bare loop, and what kept features, grouped lengths, bfloat16 and adapters bring.
bench-train: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.train $(ARGS)

# One worker against two, in this process, by torchrun and on Ray: losses, seconds and ratios.
bench-launch: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.launch $(ARGS)

# Memory and time of reading, checking, splitting and encoding two million rows.
bench-prepare: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.prepare $(ARGS)

# Every task on real data beside a plain reference; lines measured before are kept in the file and shown with them.
bench-tasks: $(VENV)/.installed-dev
	mkdir -p .tuneloop-bench
	OMP_NUM_THREADS=2 $(BIN)/python -m tests.bench.tasks --keep .tuneloop-bench/tasks.json $(ARGS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml deploy/constraints.txt | $(BIN)/python
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(PIP) --editable ".[$*]"
	@touch $@
