"""The simple models of `baseline` for each kind of answer: a constant one, and linear ones on frozen features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, NO_PLACE, Predictions, Task
from tuneloop.pipeline.data.quoted import Quoted
from tuneloop.pipeline.evaluating.scoring import judge

Floats = NDArray[np.float32]

_SURE = 1e-6
"""The least probability of a constant answer: the logit of 0 would be infinite."""
_NEGATIVES = 20
"""Places of a row that the probe learns from beside the right one: most places are alike."""
_SEED = 0


def in_places(logits: NDArray[Any], labels: NDArray[Any]) -> Floats:
    """Logits `[words, k]` as `[n, places, k]` where labels are `[n, places]`; unchanged where a row has one label."""
    if labels.ndim == 1:
        return logits.astype(np.float32)
    found = np.full((*labels.shape, logits.shape[1]), ABSENT, dtype=np.float32)
    found[labels != NO_PLACE] = logits
    return found


def share_logits(targets: NDArray[Any]) -> Floats:
    """The logit of each label's share, `float32 [labels]`, of targets of 0 and 1 `[n, labels]`."""
    shares = np.clip(targets.mean(axis=0), _SURE, 1 - _SURE)
    found: Floats = np.log(shares / (1 - shares)).astype(np.float32)
    return found


def probe_labels(features: NDArray[Any], targets: NDArray[Any], asked: NDArray[Any]) -> Floats:
    """Logits `float32 [m, labels]` of one logistic regression a label.

    Args:
        features: Of the training rows, `[n, d]`.
        targets: 0 and 1, `[n, labels]`.
        asked: Features of the rows to answer, `[m, d]`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    known, wanted = scaler.transform(features), scaler.transform(asked)
    logits = np.tile(share_logits(targets), (len(asked), 1))
    for label in range(targets.shape[1]):
        truth = targets[:, label] > 0.5
        if 0 < truth.sum() < len(truth):
            model = LogisticRegression(max_iter=200).fit(known, truth)
            logits[:, label] = model.decision_function(wanted)
    return logits


def constant_spans(task: Task, targets: NDArray[Any], quoted: Quoted) -> tuple[Predictions, NDArray[Any]]:
    """Predictions and references where every answer begins at the same place and has the same length.

    Args:
        task: Its answers are a part of the row.
        targets: First and last place of the training rows' answers, `int64 [n, 2]`.
        quoted: The rows to answer, and their answers.
    """
    first = int(np.median(targets[:, 0]))
    last = first + int(np.median(targets[:, 1] - targets[:, 0]))
    logits = np.zeros((len(quoted[0]), last + 1, 2), dtype=np.float32)
    logits[:, first, 0] = logits[:, last, 1] = 10.0
    return judge(task, {"logits": logits}, quoted[1], quoted[0])


def probe_spans(features: NDArray[Any], targets: NDArray[Any]) -> Callable[[NDArray[Any]], Floats]:
    """Two logistic regressions: does an answer begin here, does it end here?

    Args:
        features: Of the training rows, `[n, places, d]`; `ABSENT` where a place holds nothing.
        targets: First and last place of each answer among those that hold something, `int64 [n, 2]`.

    Returns:
        Gives the logits `float32 [m, places, 2]` of rows to answer, from their features `[m, places, d]`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    models = []
    generator = np.random.default_rng(_SEED)
    for edge in range(2):
        rows, truth = [], []
        for row, right in zip(features, targets[:, edge].tolist(), strict=True):
            places = row[row[:, 0] > ABSENT / 2]
            others = generator.permutation(len(places))[:_NEGATIVES]
            rows += [places[right : right + 1], places[others[others != right]]]
            truth += [True] + [False] * int((others != right).sum())
        known = np.concatenate(rows)
        scaler = StandardScaler().fit(known)
        model = LogisticRegression(max_iter=200, class_weight="balanced").fit(scaler.transform(known), truth)
        models.append((scaler, model))

    def answer(asked: NDArray[Any]) -> Floats:
        held = asked[..., 0] > ABSENT / 2
        logits = np.full((*held.shape, 2), ABSENT, dtype=np.float32)
        for edge, (scaler, model) in enumerate(models):
            logits[held, edge] = model.decision_function(scaler.transform(asked[held]))
        return logits

    return answer
