"""`tabular-classification`: a row of numbers and categories in, one label out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.classification import Classification


class TabularClassification(Classification):
    """One label for one row of a table; any input columns."""

    name = "tabular-classification"
    roles: ClassVar[Mapping[str, str]] = {}
