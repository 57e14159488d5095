"""The plain reference of texts: scikit-learn's linear models on mean-pooled features of the frozen checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BATCH = 64
_STRENGTHS = (0.3, 1.0, 3.0, 10.0)
_PENALTIES = (1.0, 10.0, 100.0)
_STEPS = 1000


def features(checkpoint: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """The mean over each text's tokens of the last layer, `[texts, width]`; longer texts are cut to 128 tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = np.zeros((len(texts), model.config.hidden_size), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            inputs = tokenizer(
                [texts[i] for i in some], padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            states = model(**inputs).last_hidden_state
            weights = inputs["attention_mask"][..., None].float()
            found[some] = ((states * weights).sum(1) / weights.sum(1)).numpy()
    return found


def classify(
    train: tuple[NDArray[Any], Sequence[Any]], validation: tuple[NDArray[Any], Sequence[Any]], tested: NDArray[Any]
) -> NDArray[Any]:
    """The classes of logistic regression; how strongly it is held back is picked on validation, then all rows train."""
    from sklearn.linear_model import LogisticRegression

    def fit(strength: float, rows: NDArray[Any], classes: Sequence[Any]) -> Any:
        return LogisticRegression(C=strength, max_iter=_STEPS).fit(rows, classes)

    best = max(_STRENGTHS, key=lambda one: fit(one, *train).score(*validation))
    answers: NDArray[Any] = fit(best, *_both(train, validation)).predict(tested)
    return answers


def regress(
    train: tuple[NDArray[Any], Sequence[Any]], validation: tuple[NDArray[Any], Sequence[Any]], tested: NDArray[Any]
) -> NDArray[Any]:
    """The values of ridge regression, its penalty picked likewise."""
    from sklearn.linear_model import Ridge

    best = max(_PENALTIES, key=lambda one: Ridge(one).fit(*train).score(*validation))
    answers: NDArray[Any] = Ridge(best).fit(*_both(train, validation)).predict(tested)
    return answers


def _both(one: tuple[NDArray[Any], Sequence[Any]], two: tuple[NDArray[Any], Sequence[Any]]) -> tuple[Any, Any]:
    return np.concatenate([one[0], two[0]]), [*one[1], *two[1]]
