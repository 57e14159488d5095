"""`check`: look at the rows before anything is trained on them, and stop where training would be pointless."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tuneloop.api import DataError, Row
from tuneloop.config import Check
from tuneloop.pipeline import parts
from tuneloop.pipeline.assign import assign
from tuneloop.pipeline.findings.clocks import clocks
from tuneloop.pipeline.findings.finding import finding
from tuneloop.pipeline.findings.near import near_copies
from tuneloop.pipeline.findings.outliers import outliers
from tuneloop.pipeline.findings.personal import personal_data
from tuneloop.pipeline.rows import input_names, normalised, open_rows, plain, resolve_columns
from tuneloop.pipeline.slices import check_slices
from tuneloop.pipeline.step import Scope, Step, StepContext, used

_LISTED = 5
_FEW = 10
_SMALL_SHARE = 0.02


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
    rows: list[Row] = list(dataset)
    texts = list(columns.inputs.values()) if kind.roles else []
    check_slices(context.project.monitor.slices, rows, names, texts, context.plugins.names("signal"))
    content = [normalised(row, names) for row in rows]
    findings = [
        *_missing(rows, [*names, target]),
        *_repeated(rows, content, target, labels=kind.loss == "cross_entropy"),
    ]
    counts: dict[str, int] = {}
    if kind.loss == "cross_entropy":
        answered = [row[target] for row in rows if plain(row[target]) is not None]
        counts = dict(Counter(str(label) for label in kind.units(answered)))
        findings += _balance(counts, target)
    elif all(plain(row[target]) is None for row in rows):
        raise DataError(f"column {target!r} holds no value at all; training needs right answers")
    placed = assign(rows, names, context.project.data.split, target)
    findings += _leaks(content, placed, kept=not kind.roles)
    wanted = context.project.data.check
    if kind.roles and not {"near-duplicates", "near-leakage"} <= set(wanted.ignore):
        findings += near_copies(content, placed)
    if "personal data" not in wanted.ignore:
        findings += personal_data(rows, names)
    findings += outliers(rows, [] if kind.roles else names)
    findings += clocks(rows, [] if kind.roles else names)
    findings = [one for one in findings if one["name"] not in wanted.ignore]
    _stop(findings, wanted)
    return {
        "findings": findings,
        "classes": counts,
        "types": {name: str(feature) for name, feature in dataset.features.items()},
        "summary": {"findings": len(findings), **({"classes": len(counts)} if counts else {})},
    }


def _stop(findings: Sequence[dict[str, Any]], wanted: Check) -> None:
    against = [f"{one['name']}: {one['text']} (rows {one['rows']})" for one in findings if one["name"] in wanted.stop]
    if against:
        raise DataError(
            "the project stops at what was found in its data (data.check.stop). Mend the rows, or move the finding to "
            "ignore:\n  " + "\n  ".join(against)
        )


def _missing(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for name in names:
        at = [i for i, row in enumerate(rows) if plain(row[name]) is None or row[name] == ""]
        if at:
            share = len(at) / len(rows)
            found.append(finding("missing", f"column {name!r} is missing in {len(at)} rows ({share:.1%})", at))
    return found


def _repeated(rows: Sequence[Row], content: Sequence[str], target: str, *, labels: bool) -> list[dict[str, Any]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(content):
        groups[text].append(position)
    many = [group for group in groups.values() if len(group) > 1]
    found = []
    if many:
        extra = sum(len(group) - 1 for group in many)
        found.append(finding("duplicates", f"{extra} rows repeat the inputs of another row", many[0]))
    at_odds = [group for group in many if len({str(rows[i][target]) for i in group}) > 1]
    if labels and at_odds:
        text = f"{len(at_odds)} groups of equal inputs have different labels"
        found.append(finding("label conflicts", text, [i for group in at_odds[:2] for i in group]))
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


def _leaks(content: Sequence[str], placed: Sequence[str], *, kept: bool) -> list[dict[str, Any]]:
    held = {text for text, split in zip(content, placed, strict=True) if split != "train"}
    at = [i for i, text in enumerate(content) if placed[i] == "train" and text in held]
    if not at:
        return []
    fate = "they stay, because rows of a table may be equal by chance" if kept else "they are left out of training"
    return [finding("leakage", f"{len(at)} training rows equal a row held out for judging; {fate}", at)]


STEP = Step("check", 1, ("load",), _inputs, run)
