"""A run of the benchmark, from the models to the report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.bench.burst import Burst, measure_bursts
from tests.bench.ceilings import WAYS, Ceiling
from tests.bench.environments import OWN, peer_python
from tests.bench.facts import facts, load_average
from tests.bench.footprint import Environment, Memory, measure_environment, measure_memory
from tests.bench.generator import Generator
from tests.bench.job import Job
from tests.bench.loads import Bench, Length, Measurement
from tests.bench.models import Model, checkpoint, make_model
from tests.bench.processes import Server
from tests.bench.report import Table, figure_tables, markdown, target_table
from tests.bench.rounds import measure
from tests.bench.sorts import WORKLOADS
from tests.bench.subjects import SUBJECTS, Subject
from tests.bench.targets import RAW, TYPED, rows
from tests.bench.workloads import Workload

from tuneloop.artifact import write_atomic
from tuneloop.monitoring.stack import free_port

PARTS = ("load", "burst", "environment", "memory")
_CEILING_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """What a run measures.

    Attributes:
        output: Gets the report; keeps models and environments.
        workloads: Of `WORKLOADS`.
        subjects: Of `SUBJECTS`.
        parts: Of `PARTS`.
        concurrencies: Clients.
        rounds: Of everything.
        seconds: Of load; None: as the workload says.
        warm: Seconds of load before; None: as the workload says.
        requests: While memory is watched.
        quick: Whether loads are short.
    """

    output: Path
    workloads: Sequence[str]
    subjects: Sequence[str]
    parts: Sequence[str]
    concurrencies: Sequence[int]
    rounds: int
    seconds: float | None
    warm: float | None
    requests: int
    quick: bool

    def length(self, name: str) -> Length:
        """How long a workload's loads last."""
        warm, seconds = WORKLOADS[name].quick if self.quick else WORKLOADS[name].length
        return Length(self.rounds, warm if self.warm is None else self.warm, self.seconds or seconds)

    def chosen(self, name: str) -> list[Subject]:
        """The subjects of a workload."""
        sort = WORKLOADS[name]
        kind = "table" if name == "table" else "encoder"
        return [SUBJECTS[s] for s in self.subjects if s not in sort.without and kind in SUBJECTS[s].kinds]


@dataclass
class Found:
    """What a run has measured so far."""

    measurements: list[Measurement] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    environment: Environment | None = None
    memories: list[Memory] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


def run(plan: Plan, say: Callable[[str], None]) -> list[Table]:
    """Measure, and write `report.md` and `report.json` after every part, so that a run that is stopped leaves them.

    Args:
        plan: What.
        say: Shows progress.

    Returns:
        The tables of the report.

    Raises:
        RuntimeError: A server does not start, or answers wrongly.
        subprocess.CalledProcessError: A model cannot be trained, or a peer not be installed.
    """
    plan.output.mkdir(parents=True, exist_ok=True)
    pythons = {name: peer_python(name, plan.output / "environments") for name in OWN if _needs(plan, name)}
    models = {name: make_model(name, plan.output / "models") for name in dict.fromkeys(_models(plan))}
    workloads = {name: WORKLOADS[name].make(models[WORKLOADS[name].model]) for name in plan.workloads}
    found = Found(facts=facts(pythons))
    found.facts["load average before"] = f"{load_average():.1f}"
    tables: list[Table] = []
    with Generator() as generator:
        bench = Bench(plan.output / "servers", pythons, generator, Length(plan.rounds, 0, 1), say)
        found.facts["load generator's ceiling"] = _generator_ceiling(bench, plan.concurrencies)
        for work in _works(plan, bench, workloads, found):
            work()
            found.facts["load average after"] = f"{load_average():.1f}"
            tables = _write(plan, found)
    return tables


def _models(plan: Plan) -> list[str]:
    return [WORKLOADS[name].model for name in plan.workloads]


def _needs(plan: Plan, peer: str) -> bool:
    return any(name.startswith(peer) for name in plan.subjects)


def _works(plan: Plan, bench: Bench, workloads: dict[str, Workload], found: Found) -> list[Callable[[], None]]:
    """The parts of the run, in order."""
    works: list[Callable[[], None]] = []

    def load(name: str, workload: Workload) -> None:
        timed = replace(bench, length=plan.length(name))
        with ExitStack() as stack:
            ceilings = []
            for way in WAYS[name]:
                ceiling = Ceiling(way, workload, plan.output, checkpoint(plan.output / "models"))
                stack.callback(ceiling.stop)
                ceilings.append(ceiling)
            found.measurements += measure(timed, workload, plan.chosen(name), plan.concurrencies, ceilings)

    def burst(name: str, workload: Workload) -> None:
        subjects = [one for one in plan.chosen(name) if one.name in WORKLOADS[name].bursts]
        found.bursts += measure_bursts(replace(bench, length=plan.length(name)), workload, subjects)

    def environment(model: Model) -> None:
        found.environment = measure_environment(bench, model, plan.output / "environments" / "serving")

    def memory(workload: Workload) -> None:
        found.memories += [measure_memory(bench, workload, door, plan.requests) for door in (TYPED, RAW)]

    for name, workload in workloads.items():
        if "load" in plan.parts:
            works.append(partial(load, name, workload))
        if "burst" in plan.parts and WORKLOADS[name].bursts:
            works.append(partial(burst, name, workload))
    if "table" in workloads:
        if "environment" in plan.parts:
            works.append(partial(environment, workloads["table"].model))
        if "memory" in plan.parts:
            works.append(partial(memory, workloads["table"]))
    return works


def _generator_ceiling(bench: Bench, concurrencies: Sequence[int]) -> str:
    """What the load generator reaches against a server that does nothing."""
    port = free_port()
    bench.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.bench.echo", str(port)]
    server = Server.start(command, port=port, ready="/", log=bench.folder / "echo.log", environment={})
    try:
        job = Job(port=port, path="/", bodies=["{}"], seconds=_CEILING_SECONDS, warm=0.2)
        rates = {one: bench.generator.run(job.model_copy(update={"concurrency": one})).rate for one in concurrencies}
        return ", ".join(f"{rate:,.0f} requests/s at {clients}" for clients, rate in rates.items())
    finally:
        server.stop()


def _write(plan: Plan, found: Found) -> list[Table]:
    lines = rows(found.measurements, found.bursts, found.environment, found.memories)
    tables = [*figure_tables(found.measurements), target_table(lines)]
    notes = [
        f"Written {time.strftime('%Y-%m-%d %H:%M')} by `python -m tests.bench.serving`; {plan.rounds} rounds. "
        "Figures are medians over the rounds, with their range; a ratio is taken within each round. Processor time is "
        "of all processes of a server. What counts more than one row a call is measured in rows."
    ]
    write_atomic(plan.output / "report.md", markdown(tables, found.facts, notes).encode())
    write_atomic(plan.output / "report.json", json.dumps(asdict(found), indent=1).encode())
    return tables
