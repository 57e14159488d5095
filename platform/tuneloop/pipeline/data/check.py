"""`check`: look at the rows before anything is trained on them, and stop where training would be pointless."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
from tuneloop.pipeline.findings.balance import balance, count_labels
from tuneloop.pipeline.findings.clocks import clocks
from tuneloop.pipeline.findings.finding import finding
from tuneloop.pipeline.findings.near import compared, near_copies
from tuneloop.pipeline.findings.outliers import outliers
from tuneloop.pipeline.findings.personal import personal_data
from tuneloop.pipeline.findings.schema import empty_columns, missing, numbers_as_texts, table_of_columns
from tuneloop.pipeline.findings.suspects import label_errors
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, used

_LABELLED = ("cross_entropy", "binary_cross_entropy")
"""Losses of tasks whose answers are labels."""
_FILES = frozenset({"audio", "image"})
"""Roles whose columns hold base64 of files: there is nothing to read in them."""


def _inputs(scope: Scope) -> dict[str, Any]:
    data, card = scope.project.data, scope.project.card
    said = [] if data.columns.inputs else [name for name in (card.license_column, card.consent_column) if name]
    return {
        "task": used(scope, "task", scope.project.task),
        "columns": [dict(data.columns.inputs), data.columns.target, data.columns.key],
        "slices": list(scope.project.monitor.slices),
        "split": asdict(data.split),
        "check": asdict(data.check),
        # They are no inputs of a table that names none.
        **({"aside": said} if said else {}),
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
    absent, findings = missing(rows, [*names, target])
    findings += empty_columns(absent, len(rows))
    # Columns with roles are read as texts, labels are names, and a value to learn is a number however it is written.
    findings += numbers_as_texts(rows, [] if kind.roles else names)
    findings += _repeated(rows, content, target, labels=kind.loss in _LABELLED)
    counts: dict[str, int] = {}
    if kind.loss in _LABELLED:
        counts = count_labels(kind, column(rows, target))
        findings += balance(kind, rows, target, counts)
    elif all(plain(value) is None for value in column(rows, target)):
        raise DataError(f"column {target!r} holds no value at all; training needs right answers")
    placed = assign(rows, names, context.project.data.split, target)
    findings += _leaks(content, placed, kept=not kind.roles)
    wanted = context.project.data.check
    files = file_columns(columns, kind)
    read = [name for name in columns.inputs.values() if name not in files]
    if kind.roles and read and not {"near-duplicates", "near-leakage"} <= set(wanted.ignore):
        places = compared(len(rows))
        findings += near_copies([normalised(row, names) for row in StoredRows(dataset, places)], placed, places)
    if "personal data" not in wanted.ignore:
        findings += personal_data(rows, read, wanted.country)
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
        "columns": table_of_columns(dataset, columns, context.project.data.split, absent),
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


def _leaks(content: NDArray[np.bytes_], placed: Sequence[str], *, kept: bool) -> list[dict[str, Any]]:
    trained = np.fromiter((split == "train" for split in placed), dtype=bool, count=len(placed))
    at = np.flatnonzero(trained & np.isin(content, content[~trained])).tolist()
    if not at:
        return []
    fate = "they stay, because rows of a table may be equal by chance" if kept else "they are left out of training"
    return [finding("leakage", f"{len(at)} training rows equal a row held out for judging; {fate}", at)]


STEP = Step("check", 3, ("load",), _inputs, run)
