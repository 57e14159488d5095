"""Base model `sklearn`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_sklearn.estimators import build_estimator, estimator_class
from tuneloop_sklearn.model import CATEGORICAL, NUMERIC, TableModel
from tuneloop_sklearn.storage import load_estimator, save_estimator


class SklearnOptions(pydantic.BaseModel):
    """Options of base model `sklearn`; both are checked against the installed scikit-learn."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    estimator: str = pydantic.Field(
        description="Import path of a public estimator, such as `sklearn.ensemble.RandomForestClassifier`."
    )
    params: dict[str, Any] = pydantic.Field(
        default={},
        validate_default=True,
        description="Arguments of its constructor. `{estimator: PATH, params: {...}}` in here is an estimator too.",
    )

    @pydantic.field_validator("estimator")
    @classmethod
    def _check_estimator(cls, value: str) -> str:
        estimator_class(value)
        return value

    @pydantic.field_validator("params")
    @classmethod
    def _check_params(cls, value: Mapping[str, Any], info: pydantic.ValidationInfo) -> Mapping[str, Any]:
        if "estimator" in info.data:
            build_estimator(info.data["estimator"], value)
        return value


class Sklearn(BaseModel):
    """A scikit-learn estimator over scaled numbers and one 0/1 feature for every category."""

    name = "sklearn"
    framework = "sklearn"
    tasks = frozenset({"tabular-classification", "tabular-regression"})
    Options = SklearnOptions

    options: SklearnOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `tabular` preprocessor, fitted on the training rows."""
        return PreprocessorChoice("tabular", {})

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> TableModel:
        """The estimator, not fitted yet.

        Raises:
            PluginError: It does not fit the task, or the preprocessor makes tensors this model does not read.
        """
        from sklearn.base import is_classifier, is_regressor

        estimator = build_estimator(self.options.estimator, self.options.params)
        classifies = task.loss == "cross_entropy"
        if not (is_classifier(estimator) if classifies else is_regressor(estimator)):
            wanted = "a classifier" if classifies else "a regressor"
            raise PluginError(f"task {task.name!r} needs {wanted}; model.estimator {self.options.estimator!r} is none")
        if classifies and not hasattr(estimator, "predict_proba"):
            raise PluginError(
                f"model.estimator {self.options.estimator!r} gives no probabilities with these parameters. Wrap it: "
                "estimator: sklearn.calibration.CalibratedClassifierCV, "
                f"params: {{estimator: {{estimator: {self.options.estimator}}}}}"
            )
        widths = {tensor.name: int(tensor.shape[1]) for tensor in preprocessor.tensors if len(tensor.shape) == 2}
        if not widths or set(widths) - {NUMERIC, CATEGORICAL}:
            raise PluginError(
                f"base model {self.name!r} reads the tensors {NUMERIC!r} and {CATEGORICAL!r}; preprocessor "
                f"{preprocessor.name!r} makes: {', '.join(widths) or 'none'}"
            )
        cardinalities = tuple(getattr(preprocessor, "cardinalities", ()))
        return TableModel(estimator, widths.get(NUMERIC, 0), cardinalities, len(task.output_names), classifies)

    def save(self, model: TableModel, task: Task, folder: Path) -> None:
        """Write the fitted estimator; sizes follow from task and preprocessor. Equal estimators give equal bytes."""
        save_estimator(model.estimator, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> TableModel:
        """The inverse of `save`, for a task with the same outputs.

        Raises:
            ArtifactError: The file is absent, damaged, or holds anything that is not of scikit-learn.
        """
        fresh = self.build(folder, task, preprocessor)
        fitted = load_estimator(folder, type(fresh.estimator))
        return TableModel(fitted, fresh.width, fresh.cardinalities, fresh.outputs, fresh.classifies)
