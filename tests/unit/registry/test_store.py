from types import SimpleNamespace

import pytest

from tuneloop.api import RegistryError
from tuneloop.registry import CHAMPION, Registry


def test_reading_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    registry = Registry(SimpleNamespace(name="desk", state=tmp_path / "state"))
    assert registry.versions() == ()
    assert registry.history() == ()
    assert registry.find(CHAMPION) is None
    assert not (tmp_path / "state").exists()


def test_a_store_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    (tmp_path / "absent").write_text("a file, where a folder should be")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/absent/x.db")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    registry = Registry(SimpleNamespace(name="desk", state=tmp_path))
    with pytest.raises(RegistryError, match="absent"):
        registry.versions()


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:geheim@127.0.0.1:1/x")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry(SimpleNamespace(name="desk", state=tmp_path))
    with pytest.raises(RegistryError, match=r"http://ada:\*\*\*@127\.0\.0\.1:1/x cannot be used: .*refused") as caught:
        registry.reach()
    assert "geheim" not in str(caught.value)
