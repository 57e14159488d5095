"""Stored answers: processor time and bytes a row, on SQLite and on PostgreSQL, with the store's own statements."""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.postgres import Postgres, running_postgres

from tuneloop.monitoring.store import Prediction, PredictionStore

_BATCH = 500
_COLUMNS = 20
_LABELLED = 10
"""Every tenth answer gets a label."""


@dataclass(frozen=True)
class Stored:
    """What a stored answer of 20 numbers costs, with a label for each tenth.

    Attributes:
        engine: Of the database.
        rate: Rows a second, by one writer.
        client_cpu: Seconds of processor a row in the process that writes; SQLite's own work is in it.
        server_cpu: Seconds of processor a row in the database's processes; 0 for SQLite.
        row: Bytes a row on disk, with indexes and labels.
    """

    engine: str
    rate: float
    client_cpu: float
    server_cpu: float
    row: float


def measure_stores(rows: int, say: Callable[[str], None]) -> list[Stored]:
    """Write that many rows into each engine that is installed."""
    found = []
    with tempfile.TemporaryDirectory(prefix="tuneloop-scale-") as place:
        file = Path(place) / "store.db"
        found.append(_measure("sqlite", f"sqlite:///{file}", rows, lambda: 0.0, lambda: _files(Path(place))))
    try:
        with running_postgres() as server:
            url = server.database()
            found.append(_measure("postgresql", url, rows, lambda: _cpu(server), lambda: _database(server, url)))
    except pytest.skip.Exception as why:
        say(f"no PostgreSQL: {why}")
    for one in found:
        say(
            f"{one.engine}: {one.rate:,.0f} rows/s, {(one.client_cpu + one.server_cpu) * 1e6:.0f} us of processor "
            f"and {one.row:.0f} bytes a row"
        )
    return found


def _measure(engine: str, url: str, rows: int, server_cpu: Callable[[], float], size: Callable[[], int]) -> Stored:
    chance = random.Random(8)
    store = PredictionStore(url)
    begun, own, theirs, before = time.perf_counter(), time.process_time(), server_cpu(), size()
    made = 0.0
    for number in range(0, rows, _BATCH):
        start = time.process_time()
        batch = [_prediction(number + place, chance) for place in range(_BATCH)]
        made += time.process_time() - start
        store.add_predictions(batch)
        store.add_labels([(one.id, "high") for one in itertools.islice(batch, 0, None, _LABELLED)])
    seconds, client = time.perf_counter() - begun, time.process_time() - own - made
    server = server_cpu() - theirs
    store.close()
    return Stored(engine, rows / (seconds - made), client / rows, server / rows, (size() - before) / rows)


def _prediction(number: int, chance: random.Random) -> Prediction:
    row = {f"x{place}": round(chance.gauss(0, 1), 4) for place in range(_COLUMNS)}
    answer = {"label": "high", "confidence": 0.75, "scores": {"high": 0.75, "low": 0.25}}
    return Prediction(f"{number:012x}{chance.getrandbits(80):020x}", "table", "1", 1.7e9 + number / 1000, row, answer)


def _files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _cpu(server: Postgres) -> float:
    assert server.process is not None
    root = psutil.Process(server.process.pid)
    total = 0.0
    for one in [root, *root.children(recursive=True)]:
        times = one.cpu_times()
        # Those of children that ended are the parent's.
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _database(server: Postgres, url: str) -> int:
    import psycopg

    name = url.rpartition("/")[2]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute("SELECT pg_database_size(%s)", (name,)).fetchone()
    assert found is not None
    return int(found[0])
