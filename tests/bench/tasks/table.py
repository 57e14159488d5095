"""The one table of all lines, and the file that keeps lines measured at other times."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.bench.tasks.line import Line

HEAD = (
    "data", "model", "metric", "baseline", "tuned", "ONNX", "int8", "MB", "int8 MB", "training s", "reference",
    "reached",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A line, the day it was measured, and the command that measures it again."""

    line: Line
    date: str
    command: str


def read(path: Path) -> list[Kept]:
    """The lines kept in a file; none where it is absent."""
    if not path.exists():
        return []
    kinds = {field.name: str(field.type) for field in fields(Line)}
    found = []
    for entry in json.loads(path.read_text()):
        line = {
            name: tuple(value) if kinds[name].startswith("tuple") else value for name, value in entry["line"].items()
        }
        found.append(Kept(Line(**line), entry["date"], entry["command"]))
    return found


def write(path: Path, kept: Sequence[Kept]) -> None:
    """Replace the file at once, so that it is whole whenever the run is ended."""
    entries = [{"date": one.date, "command": one.command, "line": asdict(one.line)} for one in kept]
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(entries, indent=1) + "\n")
    beside.replace(path)


def merged(kept: Sequence[Kept], new: Sequence[Kept]) -> list[Kept]:
    """The lines in their order; one measured again stands where it stood."""
    found = {one.line.name: one for one in kept}
    found.update({one.line.name: one for one in new})
    return list(found.values())


def table(kept: Sequence[Kept]) -> str:
    """Markdown: the lines side by side, and below it what data, dates, seeds and commands they come from."""
    rows = [HEAD, *(_cells(one.line) for one in kept)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    shown.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    shown.append("")
    for one in kept:
        line = one.line
        seeds = f"seed{'s' * (len(line.seeds) > 1)} {', '.join(map(str, line.seeds))}"
        note = f" {line.note}" if line.note else ""
        shown.append(f"- {line.name}: {line.task}; {line.data}; {seeds}; {one.date}, `{one.command}`.{note}")
    return "\n".join(shown) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        line.model,
        line.metric + ("" if line.higher_is_better else " (less is better)"),
        "" if line.baseline is None else f"{line.baseline:.4f}",
        _figure(line.tuned),
        _figure(line.onnx),
        _figure(line.int8),
        "" if line.megabytes is None else f"{line.megabytes:.3g}",
        "" if line.int8_megabytes is None else f"{line.int8_megabytes:.3g}",
        "" if line.seconds is None else f"{line.seconds:.0f}",
        f"{line.reference_name} {line.reference:.4f}",
        _verdict(line),
    )


def _figure(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def _verdict(line: Line) -> str:
    if not line.reached:
        return "NO"
    return "passed" if line.strict else f"within {line.tolerance:.0%}" if line.tolerance else "yes"
