"""A real server of a toy that generates, a few milliseconds a token, with a chat template."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.serving.generating.toy import TEMPLATE, make_artifact

from tuneloop.monitoring.stack import free_port
from tuneloop.serving.generating.predictor import GeneratingPredictor
from tuneloop.serving.loader import load_version
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server

NAME = "toy-tales"
QUEUE = 4
DEADLINE_SECONDS = 20
LONGEST = 3000


@dataclass(frozen=True)
class Tales:
    """A running server, a client of it, and the same model in this process."""

    server: ServerProcess
    client: httpx.Client
    expected: GeneratingPredictor

    def total(self, name: str, **labels: str) -> float:
        """A counter or gauge, over all series with these labels."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def wait(self, condition: Callable[[], bool], seconds: float = 240) -> None:
        """Until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.server.log.read_text()[-3000:]
            time.sleep(0.05)

    def greedy(self, prompt: str, most: int) -> str:
        """What the model answers in this process."""
        from tuneloop.serving.generating.options import GenerationOptions

        return self.expected.begin({"story": prompt}, GenerationOptions(max_tokens=most)).run().pieces.text


@pytest.fixture(scope="session")
def tales(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tales]:
    """The server."""
    folder: Path = tmp_path_factory.mktemp("tales")
    artifact = make_artifact(folder / "artifact", NAME, work=8, max_length=LONGEST, chat_template=TEMPLATE)
    home = folder / "bentoml"
    bento = bento_folder(home, build_bento(artifact, "1", home=home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_QUEUE_ROWS", str(QUEUE))
        patch.setenv("TUNELOOP_DEADLINE_SECONDS", str(DEADLINE_SECONDS))
        server = start_server(
            str(bento),
            home=folder / "home",
            log=folder / "log.txt",
            port=free_port(),
            threads=1,
            store_url=f"sqlite:///{folder}/predictions.db",
        )
    with server, httpx.Client(base_url=server.url, timeout=240) as client:
        server.wait_ready(300)
        predictor = load_version(artifact.folder, "1").predictor
        assert isinstance(predictor, GeneratingPredictor)
        yield Tales(server, client, predictor)
