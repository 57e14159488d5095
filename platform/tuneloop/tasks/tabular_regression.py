"""`tabular-regression`: a row of numbers and categories in, one number out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.regression import Regression


class TabularRegression(Regression):
    """One number for one row of a table; any input columns."""

    name = "tabular-regression"
    roles: ClassVar[Mapping[str, str]] = {}
