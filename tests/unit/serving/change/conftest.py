"""Real servers under a load that records what became of every request."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server
from tuneloop.serving.versions.channel import ChallengerEntry, Channel, ChannelEntry, write_channel

MODEL = "tiny-income"
BODY = {"rows": [{"age": 30, "hours per week": 40.5, "job": "cook"}]}


@dataclass
class Load:
    """Clients that ask one request after the other.

    `outcomes` has one entry a request, in each client's list: the version that answered, a status, or an exception.
    """

    urls: Callable[[int], str | None]
    clients: int = 4
    outcomes: list[list[str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Load]:
        self.outcomes = [[] for _ in range(self.clients)]
        self.sent = [0] * self.clients
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(60)
        # No request is without an outcome.
        assert self.sent == [len(one) for one in self.outcomes]

    def _ask(self, number: int) -> None:
        with httpx.Client(timeout=120) as client:
            while not self._stopping.is_set():
                url = self.urls(number)
                if url is None:
                    continue
                self.sent[number] += 1
                try:
                    answer = client.post(f"{url}/predict", json=BODY)
                    said = answer.json()["version"] if answer.status_code == 200 else str(answer.status_code)
                except httpx.HTTPError as error:
                    said = type(error).__name__
                self.outcomes[number].append(said)

    @property
    def counts(self) -> Counter[str]:
        return Counter(said for one in self.outcomes for said in list(one))

    def more(self, requests: int) -> None:
        """Wait until so many more were answered."""
        goal = self.counts.total() + requests
        until(lambda: self.counts.total() >= goal)


def until(condition: Callable[[], bool], seconds: float = 300, said: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)


@dataclass
class Stage:
    """One server with a channel and a store."""

    server: ServerProcess
    channel: str
    workers: int

    def page(self) -> str:
        return httpx.get(f"{self.server.url}/metrics", timeout=120).text

    def total(self, name: str, **labels: str) -> float:
        found = 0.0
        for family in text_string_to_metric_families(self.page()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    found += sample.value
        return found

    def live(self, version: str) -> float:
        """Workers that answer with a version; 0 while the server takes no request."""
        try:
            return self.total("tuneloop_live_version", version=version)
        except httpx.HTTPError:
            return 0.0

    def processes(self) -> set[int]:
        """The workers."""
        return {child.pid for child in psutil.Process(self.server.pid).children() if _is_worker(child)}

    def until(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        until(condition, seconds, lambda: self.server.log.read_text()[-4000:])

    def whole(self, version: str = "1", without: set[int] = frozenset()) -> bool:  # type: ignore[assignment]
        """Whether all workers answer with a version, and none of them is one of `without`."""
        processes = self.processes()
        return (
            len(processes) == self.workers
            and not processes & without
            and self._counting() == processes
            and self.live(version) == self.workers
        )

    def _counting(self) -> set[int]:
        """The processes whose live gauges are summed: a killed worker's are, until another one has noticed."""
        files = (self.server.log.parent / "home" / "prometheus_multiproc_dir").glob("gauge_livesum_*.db")
        return {int(file.stem.rpartition("_")[2]) for file in files}


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "_bentoml_impl.worker.service" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session")
def versions(artifacts: Callable[..., Artifact]) -> dict[str, Artifact]:
    return {str(number): artifacts(number) for number in (1, 2, 3)}


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory, versions: dict[str, Artifact]) -> Path:
    home = tmp_path_factory.mktemp("store") / ".tuneloop" / "bentoml"
    return bento_folder(home, build_bento(versions["1"], "1", home=home))


@pytest.fixture
def point(versions: dict[str, Artifact]) -> Callable[..., None]:
    """Write a channel file."""

    def write(channel: str, champion: str, challenger: str | None = None, **how: Any) -> None:
        def entry(version: str) -> dict[str, str]:
            artifact = versions[version]
            return {"version": version, "artifact": str(artifact.folder), "sha256": artifact.sha256}

        tried = None if challenger is None else ChallengerEntry(**entry(challenger), **how)
        write_channel(
            channel, Channel(model=MODEL, champion=ChannelEntry(**entry(champion)), challenger=tried, updated="now")
        )

    return write


@pytest.fixture
def serve(
    bento: Path,
    tmp_path: Path,
    new_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    point: Callable[..., None],
) -> Iterator[Callable[..., Stage]]:
    """Start servers; they are ready, and are stopped at the end."""
    started: list[ServerProcess] = []

    def start(*, workers: int = 1, drain: float = 1.0, channel: str | None = None, store: bool = False) -> Stage:
        monkeypatch.setenv("TUNELOOP_DRAIN_SECONDS", str(drain))
        folder = tmp_path / f"server-{len(started)}"
        place = channel or str(tmp_path / "channel.json")
        if channel is None and not Path(place).exists():
            point(place, "1")
        server = start_server(
            str(bento),
            home=folder / "home",
            log=folder / "log.txt",
            port=new_port(),
            workers=workers,
            channel=place,
            store_url=f"sqlite:///{tmp_path}/predictions.db" if store else None,
        )
        started.append(server)
        stage = Stage(server, place, workers)
        server.wait_ready(300)
        return stage

    yield start
    for server in started:
        server.stop()
