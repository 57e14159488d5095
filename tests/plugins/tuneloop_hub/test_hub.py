from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api import DataError
from tuneloop.api.testing import DataSourceContract
from tuneloop_hub import Hub

ROWS = [{"text": "good day", "label": "glad"}, {"text": "no", "label": None}, {"text": "bad", "label": "sad"}]
CARD = """\
---
configs:
- config_name: default
  data_files: [{split: train, path: train.jsonl}, {split: test, path: test.jsonl}]
- config_name: short
  data_files: short.jsonl
dataset_info:
- config_name: default
  features:
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': glad, '1': sad}}}}
---
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(folder: Path) -> None:
    """A data set as the hub holds it."""
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    numbers = {"glad": 0, None: -1, "sad": 1}
    lines = [json.dumps({"text": row["text"], "label": numbers[row["label"]]}) for row in ROWS]
    (folder / "train.jsonl").write_text("\n".join(lines))
    (folder / "test.jsonl").write_text(json.dumps({"text": "later", "label": 1}))
    (folder / "short.jsonl").write_text(json.dumps({"text": "short"}))


class TestHub(DataSourceContract):
    plugin = Hub
    options: ClassVar[Any] = {"dataset": "./desk"}
    expected = tuple(ROWS)
    broken = ({"dataset": "./nowhere"}, {"dataset": "./desk", "part": "no"}, {"dataset": "./desk", "subset": "no"})

    def files(self, root: Path) -> None:
        write(root / "desk")


def load(root: Path, **options: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Hub(Hub.Options(**options)).load(root).to_list()
    return rows


def test_splits_and_subsets(tmp_path: Path) -> None:
    write(tmp_path / "desk")
    assert load(tmp_path, dataset="./desk", part="train[:1]+test") == [ROWS[0], {"text": "later", "label": "sad"}]
    assert load(tmp_path, dataset="./desk", subset="short") == [{"text": "short"}]


def test_what_there_is_not_is_named(tmp_path: Path) -> None:
    write(tmp_path / "desk")
    with pytest.raises(DataError, match=r"data set '\./desk', part 'no' cannot be read: Unknown split"):
        load(tmp_path, dataset="./desk", part="no")
    with pytest.raises(DataError, match="subset 'no'"):
        load(tmp_path, dataset="./desk", subset="no")


def test_without_the_hub_it_is_said_so(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from tuneloop.api import DataError
from tuneloop_hub import Hub
try:
    Hub(Hub.Options(dataset="nobody/nothing")).load(Path())
except DataError as error:
    print(error)
"""
    # The setting is read when the library is imported. Without it the library would try again and again.
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert "data set 'nobody/nothing', part 'train' cannot be read" in done.stdout, done.stderr
