"""What a data source says about its data, and what the rows say about themselves: licences and consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.api import Row
from tuneloop.pipeline.data.rows import column, plain

if TYPE_CHECKING:
    from datasets import Dataset

    from tuneloop.pipeline.runs.step import StepResult

_MOST = 10
_LONGEST = 500


def told_by(rows: Dataset) -> dict[str, str]:
    """The licence, citation and address that a source gave with its rows, each in one line; what is empty is absent."""
    said = {name: " ".join(str(getattr(rows.info, name) or "").split()) for name in ("license", "citation", "homepage")}
    return {name: text[:_LONGEST] for name, text in said.items() if text}


def about(done: Mapping[str, StepResult]) -> dict[str, str]:
    """What `told_by` found in a run's rows."""
    found: dict[str, str] = done["load"].output.get("about", {})
    return found


def counted(rows: Sequence[Row], name: str) -> str:
    """How often a column says what, the most frequent first: `yes 30, no 4, nothing 1`."""
    counts: Counter[Any] = Counter()
    for value in column(rows, name):
        said = plain(value)
        counts["nothing" if said is None or said == "" else " ".join(str(said).split())[:_LONGEST]] += 1
    shown = [f"{value} {count}" for value, count in counts.most_common(_MOST)]
    rest = counts.total() - sum(count for _, count in counts.most_common(_MOST))
    return ", ".join([*shown, *([f"other values {rest}"] if rest else [])])
