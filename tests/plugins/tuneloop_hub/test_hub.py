from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api import DataError
from tuneloop.api.testing import DataSourceContract
from tuneloop.pipeline.data.about import told_by
from tuneloop_hub import Hub
from tuneloop_hub.about import say

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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("license: cc-by-4.0", "cc-by-4.0"),
        ("license: [mit, cc0-1.0]", "mit, cc0-1.0"),
        ("license: other\nlicense_name: desk-terms\nlicense_link: https://example.org", "other, desk-terms, https://example.org"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_licence_of_the_data_is_told(tmp_path: Path, said: str, told: str) -> None:
    write(tmp_path / "desk")
    (tmp_path / "desk" / "README.md").write_text(CARD.replace("---\n", f"---\n{said}\n" if said else "---\n", 1))
    rows = Hub(Hub.Options(dataset="./desk")).load(tmp_path)
    assert rows.to_list() == ROWS
    assert told_by(rows) == ({"license": told} if told else {})


def test_a_data_set_of_the_hub_has_an_address_and_the_licence_that_came_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import DatasetInfo
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "datasets--ada--desk"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0a1b")
    (folder / "snapshots" / "0a1b").mkdir(parents=True)
    (folder / "snapshots" / "0a1b" / "README.md").write_text("---\nlicense: mit\n---\n")
    read, other, own = DatasetInfo(), DatasetInfo(), DatasetInfo(license="CC0", homepage="https://example.org")
    say(read, "ada/desk", None)
    say(other, "ada/desk", "ffff")
    say(own, "ada/desk", None)
    assert (read.license, read.homepage) == ("mit", f"{constants.ENDPOINT}/datasets/ada/desk")
    assert (other.license, other.homepage) == ("", f"{constants.ENDPOINT}/datasets/ada/desk at ffff")
    assert (own.license, own.homepage) == ("CC0", "https://example.org")


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
