"""The figures as Markdown and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.drift.evidently_check import VARIABLE, Agreement
from tests.bench.drift.many import Folding
from tests.bench.drift.measure import HORIZON, LIMITS, OURS, Result
from tests.bench.drift.peers import PEERS
from tests.bench.drift.score import upper

_RULES = (*LIMITS, *(peer.name for peer in PEERS))
_EQUAL = (OURS, *(peer.name for peer in PEERS))


def markdown(results: Sequence[Result], agreement: Agreement | None, foldings: Sequence[Folding] = ()) -> str:
    """All tables."""
    parts = ["# Drift rules on the same streams", ""]
    parts.append(
        "20 signals (16 numbers of four shapes, 4 categories), one window an hour. Tuneloop's alert looks every two "
        "minutes at the hour behind it and must hold for a quarter of an hour; the others look once an hour at that "
        "hour. A change begins at a random moment within such an hour. `psi` is how large a change must be for the "
        "alert, 0.05 unless the project says otherwise, and `zscore` how certain, 3; it is 3.9 for 20 signals."
    )
    parts += ["", _evidently(agreement), ""]
    for result in results:
        parts += _world(result)
    if foldings:
        parts += _many(foldings)
    return "\n".join(parts) + "\n"


def as_json(
    results: Sequence[Result], agreement: Agreement | None, seed: int, foldings: Sequence[Folding] = ()
) -> dict[str, Any]:
    """The same figures."""
    return {
        "seed": seed,
        "evidently": None if agreement is None else asdict(agreement),
        "worlds": [_figures(result) for result in results],
        "many_categories": [asdict(folding) for folding in foldings],
    }


def _figures(result: Result) -> dict[str, Any]:
    return {
        **asdict(result.world),
        "clean": {rule: clean(result, rule) for rule in _RULES},
        "nominal_05": {"alert statistic": _mean(result.clean.nominal[OURS]), "offline test": offline(result)},
        "power": {
            change: {rule: {"share": one.share, "delay": _finite(one.delay)} for rule, one in found.items()}
            for change, found in result.power.items()
        },
        "false_alarms_a_day_at_our_power": {
            change: {OURS: _finite(one.ours)} | {rule: _finite(rate) for rule, rate in one.others.items()}
            for change, one in result.equal.items()
        },
        "power_at_our_false_alarms": {change: one.silent for change, one in result.equal.items()},
    }


def clean(result: Result, rule: str) -> dict[str, float]:
    """False alarms of a rule: a signal and window, any signal of a window, a day, and the upper bound a day."""
    alarming = result.clean.windows[rule]
    count = result.clean.alarms[rule]
    return {
        "signal_window": float(alarming.mean()),
        "any_window": float(alarming.any(axis=2).mean()),
        "a_day": count / result.clean.days,
        "a_day_upper": upper(count, result.clean.days),
    }


def offline(result: Result) -> float:
    """Share of clean samples in which the offline test of one signal is significant at .05."""
    return _mean([pvalue <= 0.05 for pvalue in result.offline])


def _world(result: Result) -> list[str]:
    world = result.world
    lines = [f"## {world.name}", "", f"### Without a change, {result.clean.days} days", ""]
    lines.append("| rule | a signal's window | any of 20 in a window | false alarms a day (95 % upper bound) |")
    lines.append("| --- | --- | --- | --- |")
    for rule in _RULES:
        one = clean(result, rule)
        lines.append(
            f"| {rule} | {one['signal_window']:.2%} | {one['any_window']:.2%} | "
            f"{one['a_day']:.2f} ({one['a_day_upper']:.2f}) |"
        )
    lines += [
        "",
        f"At a nominal .05, alarms of one signal and window: the alert's statistic "
        f"{_mean(result.clean.nominal[OURS]):.3f}, the offline test {offline(result):.3f} (of {len(result.offline)}).",
        "",
        f"### With a change, {world.trials} streams each: found within {HORIZON} hours, median hours to the alarm",
        "",
        "| change | " + " | ".join(_RULES) + " |",
        "| --- |" + " --- |" * len(_RULES),
    ]
    for change, found in result.power.items():
        cells = (f"{found[rule].share:.0%}, {_hours(found[rule].delay)}" for rule in _RULES)
        lines.append(f"| {change} | {' | '.join(cells)} |")
    lines += [
        "",
        "### False alarms a day at equal power: each rule's limit moved until it finds as many (signals of that kind)",
        "",
        "| change | " + " | ".join(_EQUAL) + " |",
        "| --- |" + " --- |" * len(_EQUAL),
    ]
    for change, one in result.equal.items():
        cells = (_rate(one.ours), *(_rate(one.others[peer.name]) for peer in PEERS))
        lines.append(f"| {change} | {' | '.join(cells)} |")
    lines += [
        "",
        "### Found at equal silence: each rule's limit moved until it alarms as rarely without a change",
        "",
        "| change | " + " | ".join(_EQUAL) + " |",
        "| --- |" + " --- |" * len(_EQUAL),
    ]
    for change, one in result.equal.items():
        cells = (result.power[change][OURS].share, *(one.silent[peer.name] for peer in PEERS))
        lines.append(f"| {change} | {' | '.join(f'{cell:.0%}' for cell in cells)} |")
    return [*lines, ""]


def _many(foldings: Sequence[Folding]) -> list[str]:
    lines = [
        "## Many categories, none changed: windows that alarm",
        "",
        "Before: a bin each for the 50 most frequent, by the rows that are counted. Now: as `bins` chooses them.",
        "",
        "| categories | reference | window | before, nominal .05 | now | before, z and PSI | now |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = (
        f"| {one.categories} {one.shape} | {one.reference_rows} | {one.window_rows} | {one.before_nominal:.3f} | "
        f"{one.nominal:.3f} | {one.before_alarms:.4f} | {one.alarms:.4f} |"
        for one in foldings
    )
    return [*lines, *rows, ""]


def _evidently(agreement: Agreement | None) -> str:
    if agreement is None:
        return f"Evidently's rule is by its recipe, not checked against the program ({VARIABLE} names no Python)."
    return (
        f"Evidently's rule is by its recipe; Evidently {agreement.version} itself was run on {agreement.columns} "
        f"columns: largest difference {agreement.difference:.1e}, {agreement.other_verdicts} other verdicts."
    )


def _hours(delay: float) -> str:
    return f"{delay:.1f}" if math.isfinite(delay) else "-"


def _rate(rate: float) -> str:
    return "not found by the alert" if math.isnan(rate) else f"{rate:.2f}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)
