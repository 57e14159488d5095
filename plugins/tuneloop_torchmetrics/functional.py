"""NumPy arrays to torchmetrics' functions and back to one float."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, MissingExtraError


def call(
    metric: str,
    module: str,
    function: str,
    *arrays: NDArray[Any],
    mean_of: NDArray[np.int64] | None = None,
    **options: Any,
) -> float:
    """The finite value of `torchmetrics.functional.<module>.<function>`.

    Args:
        metric: Its name, for messages.
        module: Such as `classification`.
        function: Such as `multiclass_accuracy`.
        arrays: Its first arguments.
        mean_of: Positions in the function's result whose mean is the value; None: the result is the value.
        options: Its other arguments.

    Raises:
        MissingExtraError: torchmetrics is not installed.
        DataError: There are no rows, or the value is not finite.
    """
    try:
        import torch

        functions = importlib.import_module(f"torchmetrics.functional.{module}")
    except ImportError as error:
        raise MissingExtraError(f"metric {metric!r}", error.name or "torchmetrics", "train") from error
    if len(arrays[0]) == 0:
        raise DataError(f"metric {metric!r} cannot be computed on 0 rows")
    tensors = [torch.from_numpy(np.array(array)) for array in arrays]
    result = getattr(functions, function)(*tensors, **options)
    value = float(result if mean_of is None else result[torch.from_numpy(mean_of)].mean())
    if not math.isfinite(value):
        raise DataError(f"metric {metric!r} is {value} on these {len(arrays[0])} rows")
    return value
