"""Runs in a process that can import NannyML: estimates performance without labels, by its CBPE, chunk by chunk.

Reads `reference` and `current` from `.npz` files: scores, answers and true labels. Writes JSON, a line a file.
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# NannyML imports these two for its other estimators, and they are large.
sys.modules["flaml"] = types.ModuleType("flaml")
sys.modules["lightgbm"] = types.ModuleType("lightgbm")
for module, name in (("flaml", "AutoML"), ("lightgbm", "LGBMClassifier"), ("lightgbm", "LGBMRegressor")):
    setattr(sys.modules[module], name, None)

import nannyml  # noqa: E402

METRICS = ["accuracy", "f1", "roc_auc"]


def table(arrays: Any, side: str) -> tuple[pd.DataFrame, Any, str]:
    scores, answered, truth = (arrays[f"{side}_{name}"] for name in ("scores", "answered", "truth"))
    if scores.shape[1] == 2:
        frame = pd.DataFrame({"p": scores[:, 1], "answered": answered, "truth": truth})
        return frame, "p", "classification_binary"
    names = [f"c{position:02d}" for position in range(scores.shape[1])]
    frame = pd.DataFrame(scores, columns=[f"p_{name}" for name in names])
    frame["answered"] = [names[position] for position in answered]
    frame["truth"] = [names[position] for position in truth]
    return frame, {name: f"p_{name}" for name in names}, "classification_multiclass"


def main(given: Path, chunk: int) -> dict[str, Any]:
    arrays = np.load(given)
    reference, columns, kind = table(arrays, "reference")
    current, _, _ = table(arrays, "current")
    estimator = nannyml.CBPE(
        y_pred_proba=columns,
        y_pred="answered",
        y_true="truth",
        metrics=METRICS,
        problem_type=kind,
        chunk_size=chunk,
    )
    estimator.fit(reference)
    found = estimator.estimate(current).filter(period="analysis").to_df()
    figures: dict[str, Any] = {name: found[(name, "value")].tolist() for name in METRICS}
    return figures


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chunk_rows = int(sys.argv[1])
    for file in sys.argv[2:]:
        sys.stdout.write(json.dumps(main(Path(file), chunk_rows)) + "\n")
