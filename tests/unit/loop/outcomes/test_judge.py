from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, Signature, seal, write_atomic
from tuneloop.config import Project
from tuneloop.loop.outcomes import Judge
from tuneloop.loop.outcomes.judge import scaled
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.pipeline import channel_path
from tuneloop.plugins import default_manager
from tuneloop.registry import Entry, Registry
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel


@pytest.mark.parametrize(
    ("error", "tolerance", "expected"),
    [
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 1.0),
        (0.25, 0.0, 0.25),
        (7.0, 0.0, 1.0),
        (-5.0, 10.0, 0.25),
        (20.0, 10.0, 1.0),
        (1e9, 10.0, 1.0),
        (float("inf"), 10.0, 1.0),
        (float("nan"), 0.0, 1.0),
    ],
)
def test_errors_are_between_right_and_wholly_wrong(error: float, tolerance: float, expected: float) -> None:
    assert scaled(error, tolerance) == expected


LABELS = ("tabular-classification", {"labels": ["a", "b"]}, 0.0)
VALUES = ("tabular-regression", {"mean": 0.0, "scale": 1.0}, 10.0)


def make_artifact(folder: Path, task: str, state: dict[str, Any], tolerance: float) -> Artifact:
    write_atomic(folder / "model.onnx", folder.name.encode())
    Reference(rows=1, tolerance=tolerance, signals=()).save(folder / REFERENCE_FILE)
    return seal(
        folder,
        Manifest(
            model="desk",
            task=Part(name=task, state=state),
            preprocessor="tabular",
            base_model="tabular-mlp",
            strategy="full",
            signature=Signature(columns=(), inputs=(), outputs=(), output_names=("a", "b")),
            metrics={},
            variants={},
            parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
            data=DataUse(fingerprint="0", rows={}),
            lineage=Lineage(parent=None, pipeline="0"),
            plugins=(),
            libraries={},
        ),
    )


@dataclass
class Versions:
    """A project, its registry, and its channel."""

    project: Project
    root: Path

    def make(self, version: str, task: str, state: dict[str, Any], tolerance: float) -> Artifact:
        folder = self.root / f"artifact-{version}"
        folder.mkdir()
        return make_artifact(folder, task, state, tolerance)

    def serve(self, version: str, artifact: Artifact) -> None:
        entry = ChannelEntry(version=version, artifact=str(artifact.folder), sha256=artifact.sha256)
        write_channel(str(channel_path(self.project)), Channel(model="desk", champion=entry, updated="today"))

    def judge(self) -> Judge:
        return Judge(self.project, default_manager())


@pytest.fixture
def versions(tmp_path: Path, make_world_project: Callable[..., Project]) -> Versions:
    return Versions(replace(make_world_project(tmp_path), name="desk"), tmp_path)


def test_each_version_by_its_own_task(versions: Versions) -> None:
    """The champion by what the channel names, one before it by what the registry keeps."""
    before = versions.make("1", *LABELS)
    Registry(versions.project).register(Entry(run="run-1", artifact=before, passed=True))
    versions.serve("2", versions.make("2", *VALUES))
    judge = versions.judge()
    assert [judge("1", {"label": "a"}, label) for label in ("a", "b", "new")] == [0, 1, 1]
    assert [judge("2", {"value": 3.0}, label) for label in (3, 8.0, -100)] == [0, 0.25, 1]


def test_what_does_not_fit_has_no_error(versions: Versions, caplog: Any) -> None:
    versions.serve("1", versions.make("1", *LABELS))
    judge = versions.judge()
    assert judge("1", {"label": "a"}, ["a"]) is None
    assert caplog.text == ""
    assert judge("1", {}, "a") is None
    assert "an answer of version 1 cannot be judged" in caplog.text


def test_a_version_that_nobody_knows_is_named_once(versions: Versions, caplog: Any) -> None:
    judge = versions.judge()
    assert [judge("7", {"label": "a"}, "a") for _ in range(3)] == [None] * 3
    assert caplog.text.count("the registry has no such version") == 1
