"""A real PostgreSQL for tests: made in a folder of its own, on a free port of loopback, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

GUEST = "guest"
GUEST_PASSWORD = "geheim-7"
"""Of the one user who is asked for a password; the user `tuneloop` is let in without."""
_NUMBER = count(1)


class Postgres:
    """A running server; every test takes databases of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", user: str = "tuneloop", password: str = "") -> str:
        """A SQLAlchemy URL."""
        who = f"{user}:{password}" if password else user
        return f"postgresql+psycopg://{who}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = "postgres") -> None:
        """Do statements, each for itself."""
        import psycopg

        where = f"host=127.0.0.1 port={self.port} user=tuneloop dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{os.getpid()}_{next(_NUMBER)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def make(self) -> None:
        """Make the cluster; skips the test where this machine cannot."""
        self.folder.chmod(0o777)
        done = self._call("initdb", "-D", "data", "-U", "tuneloop", "-A", "trust", "-E", "UTF8", "--no-sync")
        if done.returncode:
            pytest.skip(f"PostgreSQL cannot make a cluster here: {done.stderr.strip()[-200:]}")
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {GUEST} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        options = ("-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder), "-F")
        log = self.folder / "log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(self._programs / "postgres"), *options, "-c", "max_connections=200"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **_as_nobody(),
            )
        deadline = time.monotonic() + 300
        while b"ready to accept connections" not in log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL does not start: {log.read_text()[-500:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it and its connections. With SIGINT it writes what it holds, so that `start` is quick."""
        if self.process is None:
            return
        self.resume()
        self.process.send_signal(how)
        self.process.wait(60)
        self.process = None

    def freeze(self) -> None:
        """Every process of it stands still: connections stay open, and nobody answers."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `freeze`."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def cut(self, database: str) -> None:
        """End every connection to a database."""
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    def _family(self) -> list[int]:
        assert self.process is not None
        pid = self.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._programs / program), *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=900, **_as_nobody()
        )


def _as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server for as long as the context lasts; skips the test where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tuneloop-postgres-"))
    server = Postgres(folder, Path(initdb).resolve().parent)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Processes of the server may write for a moment after their parent has ended."""
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
