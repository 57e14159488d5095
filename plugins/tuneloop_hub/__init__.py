"""The data source that reads data sets of the Hugging Face hub, or folders laid out like them."""

from __future__ import annotations

from tuneloop.api import DataSource, hookimpl
from tuneloop_hub.source import Hub

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_data_sources() -> list[type[DataSource]]:
    """The data source of this folder."""
    return [Hub]
