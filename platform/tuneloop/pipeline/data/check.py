"""`check`: look at the rows before anything is trained on them, and stop where training would be pointless."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Columns, DataError, Row, Task
from tuneloop.config import Check
from tuneloop.pipeline.data.assign import assign
from tuneloop.pipeline.data.rows import (
    StoredRows,
    column,
    digests,
    input_names,
    normalised,
    open_rows,
    plain,
    resolve_columns,
)
from tuneloop.pipeline.data.slices import check_slices
from tuneloop.pipeline.findings.clocks import clocks
from tuneloop.pipeline.findings.finding import finding
from tuneloop.pipeline.findings.near import MOST_TEXTS, near_copies
from tuneloop.pipeline.findings.outliers import outliers
from tuneloop.pipeline.findings.personal import personal_data
from tuneloop.pipeline.findings.suspects import label_errors
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, used

_LABELLED = ("cross_entropy", "binary_cross_entropy")
"""Losses of tasks whose answers are labels."""
_FILES = frozenset({"audio", "image"})
"""Roles whose columns hold base64 of files: there is nothing to read in them."""
_LISTED = 5
_FEW = 10
_SMALL_SHARE = 0.02
_PART = 10_000


def _inputs(scope: Scope) -> dict[str, Any]:
    data = scope.project.data
    return {
        "task": used(scope, "task", scope.project.task),
        "columns": [dict(data.columns.inputs), data.columns.target, data.columns.key],
        "slices": list(scope.project.monitor.slices),
        "split": asdict(data.split),
        "check": asdict(data.check),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Findings, each with some rows to look at.

    Raises:
        DataError: No row has a right answer, all have the same, or there is a finding at which the project stops.
    """
    load = context.done["load"]
    dataset = open_rows(load.folder / load.output["rows"])
    columns = resolve_columns(context.project, dataset.column_names)
    names, target = input_names(columns), str(columns.target)
    kind = parts.task_class(context)
    kind.examine(columns, dataset)
    rows = StoredRows(dataset)
    texts = list(columns.inputs.values()) if kind.roles else []
    check_slices(context.project.monitor.slices, rows, names, texts, context.plugins.names("signal"))
    content = digests(rows, names)
    findings = [
        *_missing(rows, [*names, target]),
        *_repeated(rows, content, target, labels=kind.loss in _LABELLED),
    ]
    counts: dict[str, int] = {}
    if kind.loss in _LABELLED:
        counts = _count(kind, column(rows, target))
        findings += _balance(counts, target)
    elif all(plain(value) is None for value in column(rows, target)):
        raise DataError(f"column {target!r} holds no value at all; training needs right answers")
    placed = assign(rows, names, context.project.data.split, target)
    findings += _leaks(content, placed, kept=not kind.roles)
    wanted = context.project.data.check
    files = file_columns(columns, kind)
    read = [name for name in columns.inputs.values() if name not in files]
    if kind.roles and read and not {"near-duplicates", "near-leakage"} <= set(wanted.ignore):
        findings += near_copies([normalised(row, names) for row in rows[:MOST_TEXTS]], placed)
    if "personal data" not in wanted.ignore:
        findings += personal_data(rows, read)
    one_label = kind.loss == "cross_entropy" and kind.judged_as in (None, "classification")
    if one_label and "label errors" not in wanted.ignore:
        # Of sounds and pictures there is nothing to learn from at this point.
        told = names if not kind.roles else read
        findings += label_errors(rows, told, target, texts=bool(kind.roles)) if told else []
    findings += outliers(rows, [] if kind.roles else names)
    findings += clocks(rows, [] if kind.roles else names)
    findings = [one for one in findings if one["name"] not in wanted.ignore]
    stop_at(findings, wanted)
    return {
        "findings": findings,
        "classes": counts,
        "types": {name: str(feature) for name, feature in dataset.features.items()},
        "summary": {"findings": len(findings), **({"classes": len(counts)} if counts else {})},
    }


def file_columns(columns: Columns, kind: type[Task]) -> frozenset[str]:
    """The columns that hold whole files, sounds or pictures; none of a table, whose columns have no roles."""
    return frozenset(name for role, name in columns.inputs.items() if kind.roles and role in _FILES)


def stop_at(findings: Sequence[dict[str, Any]], wanted: Check) -> None:
    """Refuse rows with a finding at which the project stops.

    Raises:
        DataError: There is one; lists them.
    """
    against = [f"{one['name']}: {one['text']} (rows {one['rows']})" for one in findings if one["name"] in wanted.stop]
    if against:
        raise DataError(
            "the project stops at what was found in its data (data.check.stop). Mend the rows, or move the finding to "
            "ignore:\n  " + "\n  ".join(against)
        )


def _missing(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for name in names:
        at = [i for i, value in enumerate(column(rows, name)) if plain(value) is None or value == ""]
        if at:
            share = len(at) / len(rows)
            found.append(finding("missing", f"column {name!r} is missing in {len(at)} rows ({share:.1%})", at))
    return found


def _count(kind: type[Task], answers: Iterable[Any]) -> dict[str, int]:
    """How often each label is there."""
    counts: Counter[str] = Counter()
    answers = iter(answers)
    while part := list(itertools.islice(answers, _PART)):
        counts.update(str(label) for label in kind.units([answer for answer in part if plain(answer) is not None]))
    return dict(counts)


def _repeated(rows: Sequence[Row], content: NDArray[np.bytes_], target: str, *, labels: bool) -> list[dict[str, Any]]:
    _, first, of, count = np.unique(content, return_index=True, return_inverse=True, return_counts=True)
    many = np.flatnonzero(count > 1)
    if not len(many):
        return []
    # In the order in which their first rows stand.
    many = many[np.argsort(first[many])]
    extra = int((count[many] - 1).sum())
    found = [
        finding("duplicates", f"{extra} rows repeat the inputs of another row", np.flatnonzero(of == many[0]).tolist())
    ]
    if labels:
        repeated = count[of] > 1
        answers: defaultdict[int, set[str]] = defaultdict(set)
        for i, value in enumerate(column(rows, target)):
            if repeated[i]:
                answers[int(of[i])].add(str(value))
        at_odds = [group for group in many.tolist() if len(answers[group]) > 1]
        if at_odds:
            text = f"{len(at_odds)} groups of equal inputs have different labels"
            shown = [i for group in at_odds[:2] for i in np.flatnonzero(of == group).tolist()]
            found.append(finding("label conflicts", text, shown))
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
    listed = ", ".join(f"{label} ({counts[label]})" for label in rare[:_LISTED])
    return [finding("rare classes", f"{len(rare)} labels are rare: {listed}", [])]


def _leaks(content: NDArray[np.bytes_], placed: Sequence[str], *, kept: bool) -> list[dict[str, Any]]:
    trained = np.fromiter((split == "train" for split in placed), dtype=bool, count=len(placed))
    at = np.flatnonzero(trained & np.isin(content, content[~trained])).tolist()
    if not at:
        return []
    fate = "they stay, because rows of a table may be equal by chance" if kept else "they are left out of training"
    return [finding("leakage", f"{len(at)} training rows equal a row held out for judging; {fate}", at)]


STEP = Step("check", 2, ("load",), _inputs, run)
