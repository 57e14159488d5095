"""Labels that should not be learned from: of no known kind, strays, or in contradiction to all that is known.

Wrong labels and a changed world both show as answers that labels contradict. They differ in what can be learned: in a
changed world rows of a kind share their new label, and a probe that has learned from the other new rows gives it.
A label that contradicts the champion *and* its own neighbours is probably wrong. (The idea of confident learning, C.
Northcutt et al., JAIR 70, 2021, with the champion as the second witness.) Where rows have become harder for everybody
it looks the same: then the project can allow more noise. Classes that are new to the champion are not judged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import ArtifactError
from tuneloop.artifact import REFERENCE, Artifact
from tuneloop.loop.deciding.neighbours import neighbours_labels
from tuneloop.monitoring.reference import Reference
from tuneloop.pipeline.promoting.promotion import current_channel

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.monitoring.store import Labelled

MOST_STRAYS = 0.05
"""Share of labels of no known class that may be rarer than a class is."""
LEAST_OF_A_CLASS = 5
"""Rows from which a new label is taken for a new class and not for a slip of the pen."""
LEAST_ROWS = 50
"""With fewer nothing is said of noise: one could hardly tell it from chance."""
MOST_ROWS = 2000
"""The newest are looked at."""
_CERTAIN = 2.33
"""Quantile of the normal distribution at 0.99, one-sided."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the champion: its classes (empty: it answers with values), and its error on the holdout."""

    labels: tuple[str, ...]
    error: float | None


def champion_of(project: Project) -> Known | None:
    """What the version in the project's channel knows; None where there is none to be read."""
    try:
        channel = current_channel(project)
        if channel is None:
            return None
        artifact = Artifact.open(Path(channel.champion.artifact))
        reference = Reference.load(artifact.folder / REFERENCE)
    except (ArtifactError, OSError):
        return None
    valued = reference.tolerance > 0
    names = () if valued else artifact.manifest.signature.output_names
    return Known(tuple(names), None if reference.score is None or valued else 1 - reference.score)


def doubted(project: Project, rows: Sequence[Labelled]) -> str:
    """Why new labels of a project should not be learned from; empty where nothing speaks against them."""
    known = champion_of(project)
    return "" if known is None else doubt(rows, known, project.retrain.max_label_noise)


def doubt(rows: Sequence[Labelled], known: Known, most: float) -> str:
    """Why labels should not be learned from; empty where nothing speaks against them.

    Args:
        rows: Answered rows with their labels, oldest first.
        known: Of the champion.
        most: Share of doubtful labels, beyond the champion's error, that is still learned from; 1: not looked at.
    """
    rows = rows[-MOST_ROWS:]
    if not known.labels:
        return _no_numbers(rows) if rows and "value" in rows[-1].prediction.answer else ""
    if not rows or not isinstance(rows[-1].prediction.answer.get("label"), str):
        return ""
    return _strays(rows, known) or (_noise(rows, known, most) if most < 1 else "")


def _no_numbers(rows: Sequence[Labelled]) -> str:
    def number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    wrong = [pair for pair in rows if not number(pair.label)]
    if not wrong:
        return ""
    return f"{len(wrong)} of {len(rows)} new labels are no finite numbers, such as {wrong[0].label!r}."


def _strays(rows: Sequence[Labelled], known: Known) -> str:
    counted = Counter(str(pair.label) for pair in rows)
    strays = {label: n for label, n in counted.items() if label not in known.labels and n < LEAST_OF_A_CLASS}
    found = sum(strays.values())
    if found <= MOST_STRAYS * len(rows):
        return ""
    return (
        f"{found} of {len(rows)} new labels are none that the champion knows, and too rare for new classes "
        f"(under {LEAST_OF_A_CLASS} rows each), such as {min(strays)!r}; it knows {', '.join(known.labels[:10])}."
    )


def _noise(rows: Sequence[Labelled], known: Known, most: float) -> str:
    rows = [pair for pair in rows if isinstance(pair.prediction.answer.get("label"), str)]
    if known.error is None or len(rows) < LEAST_ROWS:
        return ""
    labels = [str(pair.label) for pair in rows]
    around = neighbours_labels([pair.prediction.row for pair in rows], labels)
    # Of a class that is new to it the champion is no witness.
    judged = [place for place, label in enumerate(around) if label in known.labels]
    if len(judged) < LEAST_ROWS:
        return ""
    doubtful = sum(rows[n].prediction.answer["label"] == around[n] != labels[n] for n in judged)
    share = doubtful / len(judged)
    # The usual error may itself be 0 on the holdout: one row more is never proof.
    usual = max(known.error, 1 / len(judged))
    proven = share - usual > _CERTAIN * math.sqrt(usual * (1 - usual) / len(judged))
    if share - usual <= most or not proven:
        return ""
    return (
        f"{share:.1%} of {len(judged)} new labels contradict both the champion, whose error on its holdout was "
        f"{known.error:.1%}, and similar rows: they are probably wrong. Correct them, or raise retrain.max_label_noise "
        f"({most:g})."
    )
