from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest

from tuneloop.api import ServingError
from tuneloop.serving.packaging.requirements import closure
from tuneloop.serving.packaging.wheel import is_editable, is_from_index, repack

METADATA = (
    "Metadata-Version: 2.1\nName: A.Stranger\nVersion: 1.2\nRequires-Dist: numpy\nRequires-Dist: none; extra == 'x'\n"
)


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    """An editable distribution: metadata in one place, its package in another."""
    site, source = tmp_path / "site", tmp_path / "source"
    package = source / "stranger_plugin"
    (package / "data").mkdir(parents=True)
    (package / "__pycache__").mkdir()
    (package / "__init__.py").write_text("ANSWER = 42\n")
    (package / "data" / "words.txt").write_text("one\n")
    (package / "__pycache__" / "old.pyc").write_bytes(b"no")
    info = site / "A.Stranger-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (info / "entry_points.txt").write_text("[tuneloop.plugins]\nstranger = stranger_plugin\n")
    (info / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable":true}}')
    (info / "RECORD").write_text("A.Stranger-1.2.dist-info/METADATA,,\n__editable__.pth,,\n")
    monkeypatch.syspath_prepend(str(source))
    return PathDistribution(info)


def check_record(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == set(names)
        for name, digest, size in rows:
            if name == record:
                assert (digest, size) == ("", "")
                continue
            data = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(data)))
    return set(names)


def test_an_editable_distribution_becomes_a_wheel(stranger: Distribution, tmp_path: Path) -> None:
    assert is_editable(stranger)
    assert not is_from_index(stranger)
    path = repack(stranger, tmp_path / "out")
    assert path.name == "a_stranger-1.2-py3-none-any.whl"
    assert check_record(path) == {
        "stranger_plugin/__init__.py",
        "stranger_plugin/data/words.txt",
        "a_stranger-1.2.dist-info/METADATA",
        "a_stranger-1.2.dist-info/WHEEL",
        "a_stranger-1.2.dist-info/entry_points.txt",
        "a_stranger-1.2.dist-info/RECORD",
    }
    assert path.read_bytes() == repack(stranger, tmp_path / "again").read_bytes()


def test_a_wheel_from_an_index_becomes_a_wheel_again(tmp_path: Path) -> None:
    pluggy = distribution("pluggy")
    assert is_from_index(pluggy)
    names = check_record(repack(pluggy, tmp_path))
    assert "pluggy/_manager.py" in names
    assert not any(name.endswith((".pyc", "INSTALLER", "direct_url.json")) for name in names)


def test_pip_installs_it_in_a_new_environment(stranger: Distribution, tmp_path: Path) -> None:
    wheels = [repack(one, tmp_path / "wheels") for one in (stranger, distribution("pluggy"), distribution("tuneloop"))]
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, *map(str, wheels)], check=True, timeout=900)
    code = (
        "import stranger_plugin, pluggy, tuneloop, importlib.metadata as m;"
        "assert stranger_plugin.ANSWER == 42;"
        "assert m.version('A.Stranger') == '1.2';"
        "found = [e.name for e in m.entry_points(group='tuneloop.plugins') if e.dist.name == 'A.Stranger'];"
        "print(found, tuneloop.__file__)"
    )
    done = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True, timeout=900)
    assert done.stdout.startswith("['stranger']")
    assert str(tmp_path) in done.stdout
    assert (tmp_path / "venv" / "bin" / "tuneloop").is_file()


def test_the_closure_follows_extras_and_markers_and_holds_no_training() -> None:
    found = closure({"tuneloop": {"serve", "cpu"}})
    assert {"tuneloop", "bentoml", "onnxruntime", "uvloop", "starlette", "pyzmq", "numpy"} <= found.keys()
    assert not {"torch", "transformers", "mlflow", "pytest", "onnxruntime-gpu"} & found.keys()
    assert "bentoml" not in closure({"tuneloop": set()})


def test_what_cannot_be_pinned_is_named() -> None:
    with pytest.raises(ServingError, match="needs the distribution 'no-such-thing'"):
        closure({"no-such-thing": set()})
    with pytest.raises(ServingError, match=r"tuneloop needs .*for training"):
        closure({"tuneloop": {"train"}})
