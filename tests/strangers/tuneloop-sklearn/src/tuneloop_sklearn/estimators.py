"""From the import path and the parameters in a project file to a scikit-learn estimator; and to nothing else."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

MODULES = frozenset(
    f"sklearn.{name}"
    for name in (
        "calibration",
        "compose",
        "decomposition",
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_selection",
        "gaussian_process",
        "kernel_approximation",
        "kernel_ridge",
        "linear_model",
        "multiclass",
        "naive_bayes",
        "neighbors",
        "neural_network",
        "pipeline",
        "preprocessing",
        "svm",
        "tree",
    )
)
"""A project file can name the public estimators of these modules: no other import is ever made for it."""


def estimator_class(path: str) -> type[Any]:
    """The class of an import path such as `sklearn.ensemble.RandomForestClassifier`.

    Raises:
        ValueError: It is not a public estimator of one of `MODULES`; offers the nearest.
    """
    module, _, name = path.rpartition(".")
    if module not in MODULES:
        raise ValueError(
            "the import path of a public estimator of scikit-learn, and this is in no module that may be imported."
            f"{_nearest(module, MODULES)} Known: {', '.join(sorted(MODULES))}"
        )
    from sklearn.base import BaseEstimator

    found = importlib.import_module(module)
    # Modules that are a single file name no `__all__`, and hold what they import for themselves too.
    listed = getattr(found, "__all__", None)
    public = {
        each
        for each, kind in vars(found).items()
        if inspect.isclass(kind) and issubclass(kind, BaseEstimator)
        if (each in listed if listed else kind.__module__ == module and not each.startswith("_"))
    }
    if name not in public:
        raise ValueError(f"an estimator of {module}, which has no {name!r}.{_nearest(name, public)}")
    cls: type[Any] = getattr(found, name)
    return cls


def build_estimator(path: str, params: Mapping[str, Any]) -> Any:
    """An unfitted estimator.

    Args:
        path: As `estimator_class` reads it.
        params: Arguments of its constructor. A mapping of `estimator` and `params`, also inside lists, is an
            estimator in its turn: the steps of a pipeline, or what an ensemble is made of.

    Raises:
        ValueError: A parameter is unknown or has a value that scikit-learn refuses.
    """
    cls = estimator_class(path)
    known = [name for name in inspect.signature(cls).parameters if name != "self"]
    for name in params:
        if name not in known:
            raise ValueError(
                f"parameters of {cls.__name__}, which has no {name!r}.{_nearest(name, known)} "
                f"It has: {', '.join(known)}"
            )
    values = {name: _value(value) for name, value in params.items()}
    try:
        estimator = cls(**values)
        # The check that `fit` makes, made before any work.
        estimator._validate_params()
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameters that {cls.__name__} takes: {error}") from error
    return estimator


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "estimator" in value and set(value) <= {"estimator", "params"}:
            return build_estimator(str(value["estimator"]), value.get("params") or {})
        return {name: _value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner) for inner in value]
    return value


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
