"""Run Evidently's default preset on pairs of samples; in an environment of its own, by path, with nothing of ours."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def values(reference: dict[str, np.ndarray], current: dict[str, np.ndarray]) -> dict[str, dict[str, float | bool]]:
    """What the preset finds for each column."""
    numbers = [name for name in reference if not name.startswith("category")]
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in reference if name not in numbers]
    )
    frames = []
    for side in (reference, current):
        frame = pandas.DataFrame({name: side[name] if name in numbers else side[name].astype(str) for name in side})
        frames.append(Dataset.from_pandas(frame, data_definition=definition))
    found = Report([DataDriftPreset()]).run(frames[1], frames[0]).dict()
    drifts = {}
    for metric in found["metrics"]:
        config = metric["config"]
        if "column" in config:
            value, limit = float(metric["value"]), float(config["threshold"])
            drift = value < limit if "p_value" in config["method"] else value >= limit
            drifts[config["column"]] = {"value": value, "drift": bool(drift)}
    return drifts


def main(path: str) -> None:
    """Print what was found, as JSON."""
    pairs: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(path) as arrays:
        for key in arrays:
            place, side, name = key.split("/")
            pairs.setdefault(int(place), {}).setdefault(side, {})[name] = arrays[key]
    found = [values(pairs[place]["reference"], pairs[place]["current"]) for place in sorted(pairs)]
    sys.stdout.write(json.dumps({"version": version("evidently"), "values": found}))


if __name__ == "__main__":
    main(sys.argv[1])
