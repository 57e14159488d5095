"""skl2onnx with the settings this package needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from skl2onnx import convert_sklearn
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common.data_types import FloatTensorType

from tuneloop.api import RunError
from tuneloop_sklearn.model import TableModel

_OPSETS = {"": 18, "ai.onnx.ml": 3}


def convert(model: TableModel) -> onnx.ModelProto:
    """The estimator as a graph with one input, `float32 [batch, columns]`.

    Raises:
        RunError: skl2onnx cannot convert it.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    boosted = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    estimator = model.estimator
    try:
        converted: onnx.ModelProto = convert_sklearn(
            estimator,
            name="estimator",
            initial_types=[("features", FloatTensorType([None, model.columns]))],
            # Without this a classifier's probabilities come as a list of mappings.
            options={id(estimator): {"zipmap": False}} if model.classifies else None,
            target_opset=_OPSETS,
            custom_conversion_functions={cls: _strictly(f"Sklearn{cls.__name__}") for cls in boosted},
            custom_shape_calculators={cls: get_shape_calculator(f"Sklearn{cls.__name__}") for cls in boosted},
        )
    except Exception as error:
        # skl2onnx raises whatever its converters raise, with the whole graph in the text.
        said = " ".join(str(error).split())[:300]
        raise RunError(
            f"skl2onnx cannot convert a {type(estimator).__name__}: {type(error).__name__}: {said}. "
            "Choose another estimator; https://onnx.ai/sklearn-onnx/supported.html lists those that can be converted"
        ) from error
    return converted


def _strictly(alias: str) -> Any:
    """A converter of skl2onnx that writes plain numbers.

    That of histogram boosting writes bools and NumPy's numbers where ONNX wants integers, which protobuf refuses.
    """

    def converter(scope: Any, operator: Any, container: Any) -> None:
        get_converter(alias)(scope, operator, _Strict(container))

    return converter


class _Strict:
    """A container of skl2onnx whose nodes get plain numbers."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *arguments: Any, **attributes: Any) -> Any:
        plain = {name: [_plain(v) for v in x] if isinstance(x, list) else x for name, x in attributes.items()}
        return self._container.add_node(*arguments, **plain)


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, bool) else value
