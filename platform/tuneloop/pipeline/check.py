"""`check`: look at the rows before anything is trained on them, and stop where training would be pointless."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tuneloop.api import DataError, Row
from tuneloop.pipeline import parts
from tuneloop.pipeline.assign import assign
from tuneloop.pipeline.rows import input_names, normalised, open_rows, plain, resolve_columns
from tuneloop.pipeline.step import Scope, Step, StepContext, used

_SHOWN = 5
_FEW = 10
_SMALL_SHARE = 0.02


def _inputs(scope: Scope) -> dict[str, Any]:
    data = scope.project.data
    return {
        "task": used(scope, "task", scope.project.task),
        "columns": [dict(data.columns.inputs), data.columns.target, data.columns.key],
        "split": [data.split.golden, data.split.test, data.split.validation, data.split.key, data.split.seed],
    }


def run(context: StepContext) -> dict[str, Any]:
    """Findings, each with some rows to look at.

    Raises:
        DataError: No row has a right answer, or all have the same.
    """
    load = context.done["load"]
    dataset = open_rows(load.folder / load.output["rows"])
    columns = resolve_columns(context.project, dataset.column_names)
    names, target = input_names(columns), str(columns.target)
    kind = parts.task_class(context)
    rows: list[Row] = list(dataset)
    content = [normalised(row, names) for row in rows]
    findings = [
        *_missing(rows, [*names, target]),
        *_repeated(rows, content, target, labels=kind.loss == "cross_entropy"),
    ]
    counts: dict[str, int] = {}
    if kind.loss == "cross_entropy":
        counts = dict(Counter(str(row[target]) for row in rows if plain(row[target]) is not None))
        findings += _balance(counts, target)
    elif all(plain(row[target]) is None for row in rows):
        raise DataError(f"column {target!r} holds no value at all; training needs right answers")
    placed = assign(rows, names, context.project.data.split)
    findings += _leaks(content, placed, kept=not kind.roles)
    return {
        "findings": findings,
        "classes": counts,
        "types": {name: str(feature) for name, feature in dataset.features.items()},
        "summary": {"findings": len(findings), **({"classes": len(counts)} if counts else {})},
    }


def _finding(name: str, text: str, rows: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "text": text, "rows": list(rows)[:_SHOWN]}


def _missing(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for name in names:
        at = [i for i, row in enumerate(rows) if plain(row[name]) is None or row[name] == ""]
        if at:
            share = len(at) / len(rows)
            found.append(_finding("missing", f"column {name!r} is missing in {len(at)} rows ({share:.1%})", at))
    return found


def _repeated(rows: Sequence[Row], content: Sequence[str], target: str, *, labels: bool) -> list[dict[str, Any]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(content):
        groups[text].append(position)
    many = [group for group in groups.values() if len(group) > 1]
    found = []
    if many:
        extra = sum(len(group) - 1 for group in many)
        found.append(_finding("duplicates", f"{extra} rows repeat the inputs of another row", many[0]))
    at_odds = [group for group in many if len({str(rows[i][target]) for i in group}) > 1]
    if labels and at_odds:
        text = f"{len(at_odds)} groups of equal inputs have different labels"
        found.append(_finding("label conflicts", text, [i for group in at_odds[:2] for i in group]))
    return found


def _balance(counts: dict[str, int], target: str) -> list[dict[str, Any]]:
    if not counts:
        raise DataError(f"column {target!r} holds no label at all; training needs right answers")
    if len(counts) == 1:
        only = next(iter(counts))
        raise DataError(f"column {target!r} holds only the label {only!r}; there is nothing to tell apart")
    total = sum(counts.values())
    rare = sorted(label for label, n in counts.items() if n < _FEW or n / total < _SMALL_SHARE)
    if not rare:
        return []
    listed = ", ".join(f"{label} ({counts[label]})" for label in rare[:_SHOWN])
    return [_finding("rare classes", f"{len(rare)} labels are rare: {listed}", [])]


def _leaks(content: Sequence[str], placed: Sequence[str], *, kept: bool) -> list[dict[str, Any]]:
    held = {text for text, split in zip(content, placed, strict=True) if split != "train"}
    at = [i for i, text in enumerate(content) if placed[i] == "train" and text in held]
    if not at:
        return []
    fate = "they stay, because rows of a table may be equal by chance" if kept else "they are left out of training"
    return [_finding("leakage", f"{len(at)} training rows equal a row held out for judging; {fate}", at)]


STEP = Step("check", 1, ("load",), _inputs, run)
