"""The servers that are compared: how each is started, and what a request to it looks like."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import starts
from tests.bench.processes import Server
from tests.bench.starts import Place, Start
from tests.bench.workloads import Sample, Workload

from tuneloop.monitoring.stack import free_port

_DATATYPES = {"float32": "FP32", "int64": "INT64"}


@dataclass(frozen=True)
class Subject:
    """One server.

    Attributes:
        name: On the command line and in the report.
        start: Command and environment, for a workload on a port, with a folder of its own.
        path: Of the URL.
        body: A request, JSON.
        logits: From an answer; None where it holds something else.
        kinds: Of the workloads it can take.
        tempers: Whether its logits are those of the artifact, by its temperature; of others, those of the graph.
    """

    name: str
    start: Callable[[Workload, Place], Start]
    path: Callable[[Workload], str]
    body: Callable[[Sample], Any]
    logits: Callable[[Any], Sequence[float]] | None
    kinds: tuple[str, ...] = ("table", "encoder")
    tempers: bool = False


def start(subject: Subject, workload: Workload, folder: Path, pythons: Mapping[str, Path]) -> Server:
    """A server that is ready, with its files below `folder`; for `pythons` see `Place`."""
    own = (folder / f"{subject.name}-{workload.name}").resolve()
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    port = free_port()
    how = subject.start(workload, Place(port, own, pythons))
    return Server.start(
        how.command,
        port=port,
        ready=how.ready,
        log=own / "server.log",
        environment=how.environment,
        folder=how.folder,
    )


def bodies(subject: Subject, workload: Workload) -> list[str]:
    """What is sent, in turn."""
    return [json.dumps(subject.body(sample), separators=(",", ":")) for sample in workload.samples]


def _tensors(sample: Sample) -> dict[str, Any]:
    return {name: array.tolist() for name, array in sample.tensors.items()}


def _protocol(sample: Sample) -> dict[str, Any]:
    inputs = [
        {"name": n, "shape": list(a.shape), "datatype": _DATATYPES[a.dtype.name], "data": a.ravel().tolist()}
        for n, a in sample.tensors.items()
    ]
    return {"inputs": inputs, "outputs": [{"name": "logits"}]}


def _rows(sample: Sample) -> dict[str, Any]:
    return {"rows": [sample.row]}


def _batch(sample: Sample) -> dict[str, Any]:
    if "numeric" in sample.tensors:
        return _tensors(sample)
    return {"rows": [{name: array[0].tolist() for name, array in sample.tensors.items()}]}


def _raw_path(workload: Workload) -> str:
    return f"/v2/models/{workload.model.name}/infer"


def _own_path(workload: Workload) -> str:
    return f"/{workload.kind}"


_V2_LOGITS: Callable[[Any], Sequence[float]] = lambda answer: answer["outputs"][0]["data"]  # noqa: E731

SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("tuneloop-raw", starts.watched, _raw_path, _protocol, _V2_LOGITS, tempers=True),
        Subject("tuneloop-typed", starts.watched, lambda _: "/predict", _rows, None),
        Subject("tuneloop-typed-unwatched", starts.unwatched, lambda _: "/predict", _rows, None),
        Subject("bentoml", starts.bentoml("bento_plain:Plain"), _own_path, _tensors, lambda answer: answer[0]),
        Subject("bentoml-batch", starts.bentoml("bento_batch:Batch"), _own_path, _batch, lambda answer: answer[0]),
        Subject("fastapi", starts.fastapi, _own_path, _tensors, lambda answer: answer["logits"][0]),
        Subject("litserve", starts.litserve, lambda _: "/predict", _tensors, lambda answer: answer["logits"][0]),
        Subject(
            "litserve-batch",
            starts.litserve_batch,
            lambda _: "/predict",
            _tensors,
            lambda answer: answer["logits"][0],
            kinds=("encoder",),
        ),
        Subject("mlserver", starts.mlserver, _raw_path, _protocol, _V2_LOGITS),
    )
}
