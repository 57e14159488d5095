"""Places to keep things at: a folder, fsspec's memory, and a real S3-compatible server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.object_store import ObjectStore, running_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with running_store(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def bucket(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket; the environment says how to reach it."""
    import s3fs

    store.reset()
    for name, value in store.environment().items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store.client("s3").create_bucket(Bucket="models")
    yield "s3://models"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where nothing is yet, of each kind in turn."""
    if request.param == "folder":
        return str(tmp_path / "mounted" / "models")
    if request.param == "memory":
        return f"memory://{tmp_path.name}-{request.node.name.partition('[')[0]}/models"
    found: str = request.getfixturevalue("bucket")
    return f"{found}/prefix"
