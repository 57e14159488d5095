"""The report: tables as Markdown, and everything measured as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.figures import Figures
from tests.bench.loads import Measurement
from tests.bench.numbers import Spread, spread
from tests.bench.targets import Row


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column is flush left, the others flush right."""

    title: str
    head: Sequence[str]
    body: Sequence[Sequence[str]]


def target_table(rows: Sequence[Row]) -> Table:
    """What is to be reached beside what was."""
    return Table(
        "Targets",
        ("what", "load", "median", "range", "by processor time", "target", ""),
        [
            (
                row.what,
                row.at,
                short(row.figure.median),
                _range(row.figure),
                "" if row.cpu is None else short(row.cpu.median),
                "" if row.target is None else f"{'≥' if row.least else '≤'} {short(row.target)}",
                row.verdict,
            )
            for row in rows
        ],
    )


def figure_tables(measurements: Sequence[Measurement]) -> list[Table]:
    """One table a workload: every subject under every load, medians over the rounds."""
    figures = Figures(measurements)
    tables = []
    for workload in dict.fromkeys(one.workload for one in measurements):
        keys = dict.fromkeys((one.subject, one.concurrency) for one in measurements if one.workload == workload)
        body = []
        for subject, concurrency in keys:

            def over(read: str, subject: str = subject, concurrency: int = concurrency) -> Spread:
                return spread(figures.pick(workload, subject, concurrency, lambda one: float(getattr(one, read))))  # noqa: B023

            rate = over("rate")
            body.append(
                (
                    subject,
                    str(concurrency or "-"),
                    short(rate.median),
                    _range(rate),
                    short(over("p50").median * 1e3),
                    short(over("p99").median * 1e3),
                    short(over("cpu").median * 1e6),
                    f"{over('generator').median:.0%}",
                    str(sum(map(int, figures.pick(workload, subject, concurrency, lambda one: one.failed)))),
                )
            )
        head = (
            "subject",
            "clients",
            "requests/s",
            "range",
            "p50 ms",
            "p99 ms",
            "cpu us/request",
            "generator",
            "failed",
        )
        tables.append(Table(workload, head, body))
    return tables


def short(value: float) -> str:
    """Three digits that count."""
    if value == 0 or abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _range(figure: Spread) -> str:
    return "" if figure.rounds == 1 else f"{short(figure.low)} to {short(figure.high)}"


def markdown(tables: Sequence[Table], facts: Mapping[str, str], notes: Sequence[str]) -> str:
    """The whole report."""
    parts = ["# Serving, measured\n", *(f"{note}\n" for note in notes)]
    for table in tables:
        lines = [f"## {table.title}\n", _line(table.head), _line(["---", *["---:"] * (len(table.head) - 1)])]
        parts.append("\n".join([*lines, *map(_line, table.body)]) + "\n")
    machine = Table("Machine", ("", ""), list(facts.items()))
    parts.append(
        "\n".join(["## Machine\n", _line(machine.head), _line(["---", "---"]), *map(_line, machine.body)]) + "\n"
    )
    return "\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_WIDTH = 160
"""Of a log."""


def print_tables(tables: Sequence[Table]) -> None:
    """Show tables on the terminal."""
    from rich.console import Console
    from rich.table import Table as Shown

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    for table in tables:
        shown = Shown(*table.head, title=table.title, box=None, pad_edge=False, title_justify="left")
        for column in shown.columns[1:]:
            column.justify = "right"
        for cells in table.body:
            shown.add_row(*cells, style="yellow" if cells[-1] in ("short", "behind") else None)
        console.print(shown)
        console.print()
