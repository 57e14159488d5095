"""Two real servers for the tests of this folder: one of a tiny table model, one of a text model as slow as asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from prometheus_client.parser import text_string_to_metric_families
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from tuneloop.api import Tensor
from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, PluginUse, Signature, Variant, seal
from tuneloop.preprocessing.text import TextPreprocessor, TextSettings
from tuneloop.serving.loader import load_version
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.server import ServerProcess, start_server
from tuneloop.serving.versions.examples import write_examples
from tuneloop.tasks.text_classification import TextClassification

TABLE, DESK = "tiny-income", "tiny-desk"
BODY_SECONDS = 4
HELD_BYTES = 32 << 20
QUEUE_ROWS = 8
DEADLINE_SECONDS = 3
WORDS = {"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3, "steady": 16, "slow": 2000}
"""A word's token is also how many matrix products a call with it takes, about a third of a millisecond each."""
WIDTH = 256


@dataclass(frozen=True)
class Door:
    """A running server and a client of it."""

    server: ServerProcess
    client: httpx.Client
    model: str
    expected: Predictor
    """The same model in this process."""

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.server.url)
        assert url.port is not None
        return url.host, url.port

    @property
    def infer(self) -> str:
        return f"/v2/models/{self.model}/infer"

    def series(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every time series of this server, by name and labels."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def total(self, name: str, **labels: str) -> float:
        found = self.series().items()
        return sum(value for (given, own), value in found if given == name and labels.items() <= dict(own).items())

    def workers(self) -> set[int]:
        """The process ids of the supervisor and its workers."""
        one = psutil.Process(self.server.pid)
        return {one.pid, *(process.pid for process in one.children(recursive=True))}

    def resident(self) -> int:
        """Bytes that the supervisor and its workers hold."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.workers())

    def cpu_seconds(self) -> float:
        """What they have computed so far."""
        times = [psutil.Process(pid).cpu_times() for pid in self.workers()]
        return sum(time.user + time.system for time in times)

    def wait(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.server.log.read_text()[-3000:]
            threading.Event().wait(0.05)


@contextlib.contextmanager
def serving(artifact: Artifact, model: str, folder: Path, port: int, **environment: str) -> Iterator[Door]:
    home = folder / ".tuneloop" / "bentoml"
    bento = bento_folder(home, build_bento(artifact, "1", home=home))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server = start_server(
            str(bento),
            home=folder / "home",
            log=folder / "log.txt",
            port=port,
            threads=1,
            store_url=f"sqlite:///{folder}/predictions.db",
        )
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        server.wait_ready(300)
        yield Door(server, client, model, load_version(artifact.folder, "1").predictor)


@pytest.fixture(scope="session")
def table(
    artifacts: Callable[..., Artifact], tmp_path_factory: pytest.TempPathFactory, new_port: Callable[[], int]
) -> Iterator[Door]:
    """A model so small that it runs in the event loop."""
    folder = tmp_path_factory.mktemp("table")
    limits = {"TUNELOOP_BODY_SECONDS": str(BODY_SECONDS), "TUNELOOP_HELD_BYTES": str(HELD_BYTES)}
    with serving(artifacts(1), TABLE, folder, new_port(), **limits) as door:
        yield door


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, new_port: Callable[[], int]) -> Iterator[Door]:
    """A model that runs in one thread behind a short queue."""
    folder = tmp_path_factory.mktemp("desk")
    limits = {"TUNELOOP_QUEUE_ROWS": str(QUEUE_ROWS), "TUNELOOP_DEADLINE_SECONDS": str(DEADLINE_SECONDS)}
    with serving(make_desk(folder / "artifact"), DESK, folder, new_port(), **limits) as door:
        yield door


def _graph() -> Any:
    """The mean of the tokens' rows in a table of logits, after as many matrix products as the greatest token says."""
    generator = np.random.default_rng(3)
    matrix = helper.make_tensor_value_info("before", TensorProto.FLOAT, [WIDTH, WIDTH])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "one"], ["after"]),
            helper.make_node("Identity", ["going"], ["goes_on"]),
        ],
        "product",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            matrix,
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [WIDTH, WIDTH]),
        ],
    )
    weights = {
        "words": generator.normal(size=(max(WORDS.values()) + 1, 2)).astype(np.float32),
        "one": np.eye(WIDTH, dtype=np.float32),
        "true": np.array(True),
        "zero": np.array(0, dtype=np.float32),
        "middle": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("ReduceMax", ["input_ids"], ["turns"], keepdims=0),
        helper.make_node("Loop", ["turns", "true", "one"], ["worked"], body=body),
        helper.make_node("ReduceSum", ["worked"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Gather", ["words", "input_ids"], ["found"], axis=0),
        helper.make_node("ReduceMean", ["found"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Add", ["mean", "nothing"], ["logits"]),
        helper.make_node("Identity", ["mean"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "desk",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("logits", "embedding")],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_desk(folder: Path) -> Artifact:
    """A text model over the words above, sealed like any other."""
    folder.mkdir(parents=True)
    save(_graph(), folder / "model.onnx")
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    settings = TextSettings(
        tokenizer=tokenizer.to_str(), max_length=64, tensors=("input_ids",), unknown_id=1, column="message"
    )
    preprocessor, task = TextPreprocessor(settings), TextClassification(("praise", "complaint"))
    (folder / "preprocessor").mkdir()
    preprocessor.save(folder / "preprocessor")
    rows = [{"message": "steady good"}, {"message": "steady bad"}]
    write_examples(folder, rows, Predictor(folder / "model.onnx", task, preprocessor).predict(rows).answers)
    (folder / "card.md").write_text("# A tiny model\n")
    own = PluginUse(
        distribution="tuneloop",
        version=version("tuneloop"),
        names=("core-preprocessing", "core-signals", "core-tasks"),
        serving=True,
    )
    manifest = Manifest(
        model=DESK,
        task=Part(name=task.name, state=task.state()),
        preprocessor=preprocessor.name,
        base_model="transformers",
        strategy="full",
        signature=Signature(
            columns=preprocessor.columns,
            inputs=preprocessor.tensors,
            outputs=tuple(Tensor(name, "float32", ("batch", 2)) for name in ("logits", "embedding")),
            output_names=task.output_names,
        ),
        metrics={"accuracy": 0.9},
        variants={"float32": Variant(bytes=1, metrics={}, served=True, reason="the only one")},
        parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
        data=DataUse(fingerprint="none", rows={"train": 1}),
        lineage=Lineage(parent=None, pipeline="none"),
        plugins=(own,),
        libraries={},
    )
    return seal(folder, manifest)
