"""`python -m tests.bench.scale`: measure what things cost here, and print what two loads would need.

The figures are of this machine; deploy/SCALE.md says what they mean and what to change when.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from tests.bench.scale.needs import Costs, Needs, needs
from tests.bench.scale.replica import Replica, measure_replica
from tests.bench.scale.series import Series, measure_series
from tests.bench.scale.store import Stored, measure_stores

RATES = (1_000.0, 100_000.0)
MB = 1e6


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=".tuneloop-bench",
    show_default=True,
    help="Keeps the model for the next run, and gets scale.md.",
)
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="Of each load.")
@click.option("--rows", type=click.IntRange(1000), default=50_000, show_default=True, help="Stored in each database.")
def main(output: Path, seconds: float, rows: int) -> None:
    """Measure costs a request, a stored answer, a series and a replica, and what loads need."""

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    replica = measure_replica(output, seconds, say)
    stored = measure_stores(rows, say)
    series = measure_series(seconds, say)
    text = "\n\n".join([_costs(replica, stored, series), *_loads(replica, stored, series)]) + "\n"
    (output / "scale.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _costs(replica: Replica, stored: Sequence[Stored], series: Series | None) -> str:
    rows = [
        (f"request of one row, {name}", f"{cpu * 1e6:.0f} us of processor") for name, cpu in replica.request_cpu.items()
    ]
    rows += [
        ("replica, memory of its processes", f"{replica.resident / MB:.0f} MB"),
        ("replica, series", f"{replica.series:,}"),
        ("a scrape of a replica", f"{replica.look_cpu * 1e3:.0f} ms of processor, {replica.page / 1e3:.0f} kB"),
    ]
    for one in stored:
        cpu = f"{one.client_cpu * 1e6:.0f} us in the writer, {one.server_cpu * 1e6:.0f} us in the database"
        rows.append((f"stored answer, {one.engine}", f"{cpu}; {one.row:.0f} bytes; {one.rate:,.0f} rows/s"))
    if series is not None:
        rows += [
            ("series in Prometheus", f"{series.resident / 1e3:.1f} kB of memory"),
            ("sample in Prometheus", f"{series.sample_cpu * 1e6:.1f} us of processor, {series.sample:.2f} bytes"),
            ("series in an evaluation of the drift rules", f"{series.judged * 1e6:.0f} us"),
        ]
    return _table(("what", "costs"), rows)


def _loads(replica: Replica, stored: Sequence[Stored], series: Series | None) -> list[str]:
    if series is None or not stored:
        return []
    database = stored[-1]
    costs = Costs(
        request_cpu=replica.request_cpu["tuneloop-typed"],
        replica_memory=replica.resident,
        replica_series=replica.series,
        series_memory=series.resident,
        sample_cpu=series.sample_cpu,
        sample_bytes=series.sample,
        row_cpu=database.server_cpu or database.client_cpu,
        row_bytes=database.row,
    )
    return [_table(("", *(f"{rate:,.0f} requests/s" for rate in RATES)), _needs([needs(r, costs) for r in RATES]))]


def _needs(found: Sequence[Needs]) -> list[tuple[str, ...]]:
    def line(name: str, cells: Iterable[str]) -> tuple[str, ...]:
        return (name, *cells)

    return [
        line("replicas (one worker each)", (f"{one.replicas:,}" for one in found)),
        line("memory of the replicas", (f"{one.memory / 1e9:.1f} GB" for one in found)),
        line("series", (f"{one.series:,}" for one in found)),
        line("samples/s", (f"{one.samples_per_second:,.0f}" for one in found)),
        line("Prometheus, memory", (f"{one.prometheus_memory / 1e9:.2f} GB" for one in found)),
        line("Prometheus, cores to scrape", (f"{one.prometheus_cores:.2f}" for one in found)),
        line("Prometheus, disk a day", (f"{one.prometheus_day / 1e9:.2f} GB" for one in found)),
        line("rows/s into the database", (f"{one.rows_per_second:,.0f}" for one in found)),
        line("database, cores to write", (f"{one.database_cores:.1f}" for one in found)),
        line("database, disk a day", (f"{one.database_day / 1e9:,.0f} GB" for one in found)),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
