"""The artifact folder: sealed once, verified at every opening."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ArtifactError, Column, Tensor
from tuneloop.artifact import (
    Artifact,
    DataUse,
    Lineage,
    Manifest,
    Parity,
    Part,
    Signature,
    canonical_json,
    seal,
    write_atomic,
)


def manifest() -> Manifest:
    return Manifest(
        model="demo",
        task=Part(name="tabular-classification", state={"labels": ["a", "b"]}),
        preprocessor="tabular",
        base_model="tabular-mlp",
        strategy="full",
        signature=Signature(
            columns=(Column("age", "number"),),
            inputs=(Tensor("numeric", "float32", ("batch", 1)),),
            outputs=(Tensor("logits", "float32", ("batch", 2)),),
            output_names=("a", "b"),
        ),
        metrics={"accuracy": 0.9},
        variants={},
        parity=Parity(rows=3, max_difference=1e-6, changed_answers=0),
        data=DataUse(fingerprint="f", rows={"train": 3}),
        lineage=Lineage(parent=None, pipeline="p"),
        plugins=(),
        libraries={},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "preprocessor").mkdir()
    (tmp_path / "preprocessor" / "tabular.json").write_text("{}")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_a_sealed_folder_opens_with_the_same_hash(folder: Path) -> None:
    sealed = seal(folder, manifest())
    opened = Artifact.open(folder)
    assert opened == sealed
    assert set(opened.manifest.files) == {"model.onnx", "preprocessor/tabular.json", "training/model.safetensors"}


def test_equal_content_has_an_equal_hash_wherever_it_lies(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = seal(folder, manifest())
    other = tmp_path_factory.mktemp("other")
    for name in first.manifest.files:
        write_atomic(other / name, (folder / name).read_bytes())
    assert seal(other, manifest()).sha256 == first.sha256


@pytest.mark.parametrize("name", ["model.onnx", "preprocessor/tabular.json"])
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    seal(folder, manifest())
    (folder / name).write_bytes(b"other")
    with pytest.raises(ArtifactError, match=name):
        Artifact.open(folder)


def test_a_missing_a_linked_and_an_added_file_are_refused(folder: Path) -> None:
    seal(folder, manifest())
    model = folder / "model.onnx"
    kept = model.read_bytes()
    model.unlink()
    with pytest.raises(ArtifactError, match=r"lacks the file 'model\.onnx'"):
        Artifact.open(folder)
    (folder.parent / "elsewhere").write_bytes(kept)
    model.symlink_to(folder.parent / "elsewhere")
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        Artifact.open(folder)
    model.unlink()
    model.write_bytes(kept)
    (folder / "extra.pkl").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"extra\.pkl"):
        Artifact.open(folder)


def test_training_may_be_left_out_where_asked(folder: Path) -> None:
    seal(folder, manifest())
    (folder / "training" / "model.safetensors").unlink()
    with pytest.raises(ArtifactError):
        Artifact.open(folder)
    assert Artifact.open(folder, skip=("training",)).manifest.model == "demo"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", ""])
def test_a_manifest_cannot_name_files_outside(folder: Path, name: str) -> None:
    seal(folder, manifest())
    content = json.loads((folder / "manifest.json").read_text())
    content["files"][name] = {"sha256": "0", "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="outside"):
        Artifact.open(folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2}', "\x00"])
def test_what_is_no_manifest_says_so(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match="manifest"):
        Artifact.open(folder)


def test_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is no artifact"):
        Artifact.open(tmp_path / "absent")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_canonical_json_does_not_depend_on_order(value: dict[str, object]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_bytes(b"0" * 200_000)
    code = (
        "import sys; from pathlib import Path; from tuneloop.artifact import write_atomic\n"
        "p = Path(sys.argv[1]); i = 0\n"
        "print('go', flush=True)\n"
        "while True:\n    i += 1; write_atomic(p, str(i % 10).encode() * 200_000)\n"
    )
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        before = target.stat().st_mtime_ns
        while target.stat().st_mtime_ns == before:
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        content = target.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1
