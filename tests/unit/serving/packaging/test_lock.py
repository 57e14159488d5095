from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.lock import Lock, Pin, make_lock, with_hashes
from tuneloop.serving.packaging.wheel import repack

SMALL = ("pluggy", "packaging")


def pins(*names: str) -> tuple[Pin, ...]:
    return tuple(Pin(name, distribution(name).version, distribution(name)) for name in names)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all pip can see."""
    folder = tmp_path / "index"
    for name in SMALL:
        repack(distribution(name), folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_every_distribution_is_pinned_to_what_is_installed(artifacts: Callable[..., Artifact]) -> None:
    lock = make_lock(artifacts(1))
    for line in lock.lines({}):
        requirement = Requirement(line)
        assert str(requirement.specifier) == f"=={distribution(requirement.name).version}"
    names = {pin.name.lower() for pin in lock.pins}
    assert {"bentoml", "numpy", "onnxruntime", "pydantic", "starlette"} <= names
    assert not {"torch", "transformers", "mlflow", "cryptography"} & names
    assert [one.name for one in lock.carried] == ["tuneloop"]


def test_the_device_chooses_one_onnxruntime(artifacts: Callable[..., Artifact]) -> None:
    found = {
        device: [pin.name for pin in make_lock(artifacts(1), device).pins if pin.name.startswith("onnxruntime")]
        for device in ("cpu", "gpu")
    }
    assert found == {"cpu": ["onnxruntime"], "gpu": ["onnxruntime-gpu"]}


def test_what_is_asked_for_besides_comes_with_what_it_needs(artifacts: Callable[..., Artifact]) -> None:
    names = {pin.name for pin in make_lock(artifacts(1), extras=("postgres", "s3", "sign")).pins}
    assert {"aiobotocore", "cffi", "cryptography", "psycopg", "psycopg-binary", "s3fs"} <= names
    with pytest.raises(ServingError, match="no use for 'train'; known: audio, image, personal, postgres, s3, sign"):
        make_lock(artifacts(1), extras=("train",))


def test_hashes_are_those_of_the_files_pip_would_install(index: Path) -> None:
    lock = with_hashes(Lock(pins(*SMALL), ()))
    expected = {hashlib.sha256(path.read_bytes()).hexdigest() for path in index.glob("*.whl")}
    assert {pin.sha256 for pin in lock.pins} == expected


def test_pip_installs_from_a_lock_with_hashes_and_refuses_another_file(index: Path, tmp_path: Path) -> None:
    carried = repack(distribution("iniconfig"), tmp_path / "wheels")
    digest = hashlib.sha256(carried.read_bytes()).hexdigest()
    lines = with_hashes(Lock(pins(*SMALL), ())).lines({f"./wheels/{carried.name}": digest})
    assert all("--hash=sha256:" in line for line in lines)

    def install(content: list[str]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "requirements.txt").write_text("\n".join(content) + "\n")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", "site"]
        return subprocess.run(
            [*pip, "-r", "requirements.txt"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = install(lines)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "pluggy").is_dir()
    done = install([line.replace(digest, "0" * 64) for line in lines])
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.usefixtures("index")
def test_a_pin_that_the_index_lacks_is_named() -> None:
    with pytest.raises(ServingError, match=r"pip could not be asked for hashes(.|\n)*iniconfig"):
        with_hashes(Lock(pins(*SMALL, "iniconfig"), ()))


def test_one_missing_hash_leaves_all_out() -> None:
    first, second = pins(*SMALL)
    hashed = Pin(first.name, first.version, first.installed, "a" * 64)
    assert Lock((hashed, second), ()).lines({"./w.whl": "b" * 64}) == [first.line, second.line, "./w.whl"]
