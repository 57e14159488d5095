"""`python -m tests.bench.serving`: measure Tuneloop's doors beside their peers, in one run on one machine.

Everything is interleaved and compared within a round, so that what else the machine does cancels. The last lines say
what is reached and what is short; `report.md` and `report.json` in the output folder hold everything.
"""

from __future__ import annotations

from pathlib import Path

import click
from tests.bench.plan import PARTS, Plan, run
from tests.bench.report import print_tables
from tests.bench.sorts import WORKLOADS
from tests.bench.subjects import SUBJECTS


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=".tuneloop-bench",
    show_default=True,
    help="Gets the report; keeps models and environments of peers for the next run.",
)
@click.option("--workload", "workloads", type=click.Choice(list(WORKLOADS)), multiple=True, help="By default all.")
@click.option("--subject", "subjects", type=click.Choice(list(SUBJECTS)), multiple=True, help="By default all.")
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="By default all.")
@click.option("--concurrency", "concurrencies", type=int, multiple=True, default=[1, 8, 64], show_default=True)
@click.option("--rounds", type=click.IntRange(1), help="By default 5; quick: 2.")
@click.option("--seconds", type=click.FloatRange(0.1), help="Of load; by default 3 to 5 by workload; quick: 1 to 2.")
@click.option("--warm", type=click.FloatRange(0), help="Seconds of load before; by default 0.5 to 1.5 by workload.")
@click.option(
    "--requests", type=click.IntRange(100), help="While memory is watched; by default 200,000; quick: 10,000."
)
@click.option("--quick", is_flag=True, help="A few minutes, to see that it works.")
def main(
    output: Path,
    workloads: tuple[str, ...],
    subjects: tuple[str, ...],
    parts: tuple[str, ...],
    concurrencies: tuple[int, ...],
    rounds: int | None,
    seconds: float | None,
    warm: float | None,
    requests: int | None,
    quick: bool,
) -> None:
    """Measure Tuneloop's serving beside BentoML, FastAPI, LitServe, MLServer and plain calls of ONNX Runtime."""
    plan = Plan(
        output=output,
        workloads=workloads or tuple(WORKLOADS),
        subjects=subjects or tuple(SUBJECTS),
        parts=parts or PARTS,
        concurrencies=concurrencies,
        rounds=rounds or (2 if quick else 5),
        seconds=seconds,
        warm=warm,
        requests=requests or (10_000 if quick else 200_000),
        quick=quick,
    )
    tables = run(plan, lambda said: click.echo(said, err=True))
    print_tables(tables)
    click.echo(f"the report: {output / 'report.md'}")


if __name__ == "__main__":
    main()
