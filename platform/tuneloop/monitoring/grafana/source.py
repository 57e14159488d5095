"""The datasource that every query is sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

DATASOURCE = "tuneloop-prometheus"
"""The `uid` of the provisioned datasource."""


def source() -> DataSourceRef:
    """The datasource that the reader chose at the top of the dashboard."""
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    return DataSourceRef("prometheus", "${datasource}")
