"""From what things cost to what a load needs. Arithmetic alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY = 86_400
USED = 0.6
"""Share of a core, of a disk or of a database that is planned to be in use: the rest takes peaks and restarts."""


@dataclass(frozen=True)
class Costs:
    """What was measured. Seconds of processor, bytes.

    Attributes:
        request_cpu: A request of one row, stored and watched.
        replica_memory: A replica with one worker.
        replica_series: Its series.
        series_memory: A series in Prometheus.
        sample_cpu: A sample in Prometheus.
        sample_bytes: A sample on disk.
        row_cpu: A stored answer, in the database.
        row_bytes: A stored answer, with its indexes.
    """

    request_cpu: float
    replica_memory: float
    replica_series: int
    series_memory: float
    sample_cpu: float
    sample_bytes: float
    row_cpu: float
    row_bytes: float


@dataclass(frozen=True)
class Needs:
    """What a load needs. Attributes without a unit are counts.

    Attributes:
        memory: Bytes of all replicas.
        prometheus_memory: Bytes.
        prometheus_cores: Cores for scraping alone.
        prometheus_day: Bytes a day on disk.
        rows_per_second: Into the database.
        database_cores: For writing them.
        database_day: Bytes a day.
    """

    replicas: int
    memory: float
    series: int
    samples_per_second: float
    prometheus_memory: float
    prometheus_cores: float
    prometheus_day: float
    rows_per_second: float
    database_cores: float
    database_day: float


def needs(rate: float, costs: Costs, *, interval: float = 15.0, stored: float = 1.0, least: int = 2) -> Needs:
    """What a number of requests a second needs.

    Args:
        rate: Requests of one row a second.
        costs: What was measured.
        interval: Seconds between two scrapes.
        stored: Share of the answers that is stored.
        least: Replicas, so that one may end.
    """
    replicas = max(least, math.ceil(rate * costs.request_cpu / USED))
    series = replicas * costs.replica_series
    samples = series / interval
    rows = rate * stored
    return Needs(
        replicas=replicas,
        memory=replicas * costs.replica_memory,
        series=series,
        samples_per_second=samples,
        prometheus_memory=series * costs.series_memory,
        prometheus_cores=samples * costs.sample_cpu / USED,
        prometheus_day=samples * costs.sample_bytes * DAY,
        rows_per_second=rows,
        database_cores=rows * costs.row_cpu / USED,
        database_day=rows * costs.row_bytes * DAY,
    )
