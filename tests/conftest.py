"""How property-based tests run: by chance at a desk, the same way every time in CI, and never against a clock.

And databases for whoever asks: a PostgreSQL of the test run's own, or each engine in turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.postgres import Postgres, running_postgres

# A machine that is busy for a moment would fail a test that a deadline guards.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# Servers stop in nearly every file, and nobody there waits for a balancer to turn away.
os.environ.setdefault("TUNELOOP_DRAIN_SECONDS", "0")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server of this test run; what stops or freezes it starts or resumes it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> str:
    """The URL of a new, empty database on a real PostgreSQL."""
    return postgres_server.database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, on each of the two engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.database()
