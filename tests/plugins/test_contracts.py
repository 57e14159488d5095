"""The built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

import tuneloop_tabular
import tuneloop_text
import tuneloop_torchmetrics
from tuneloop.api import Columns
from tuneloop.api.testing import (
    BaseModelContract,
    DataSourceContract,
    ExporterContract,
    MetricContract,
    PreprocessorContract,
    SignalContract,
    StrategyContract,
    TaskContract,
    TransformContract,
)
from tuneloop.monitoring import signals
from tuneloop.preprocessing import TabularPreprocessor, TextPreprocessor
from tuneloop.tasks import TabularClassification, TabularRegression, TextClassification
from tuneloop_files import Csv, Jsonl, Parquet
from tuneloop_onnx import Onnx
from tuneloop_torch import FeatureExtraction, Full, GradualUnfreezing

ROWS = ({"text": "good day", "stars": 4}, {"text": "", "stars": None}, {"text": 'a, "b"', "stars": 1})


class TestCsv(DataSourceContract):
    plugin = Csv
    options: ClassVar[Any] = {"path": "data/*.csv"}
    expected = (ROWS[0], {"text": None, "stars": None}, ROWS[2])
    broken = ({"path": "no.csv"}, {"path": "data"}, {"path": "data/bad.txt"})

    def files(self, root: Path) -> None:
        (root / "data").mkdir()
        (root / "data" / "a.csv").write_text('text,stars\ngood day,4\n,\n"a, ""b""",1\n')
        (root / "data" / "bad.txt").write_text("text,stars\n1,2,3\n")


class TestJsonl(DataSourceContract):
    plugin = Jsonl
    options: ClassVar[Any] = {"path": "rows.jsonl"}
    expected = ROWS
    broken = ({"path": "no.jsonl"}, {"path": "bad.jsonl"})

    def files(self, root: Path) -> None:
        (root / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
        (root / "bad.jsonl").write_text("{}\n[]\n")


class TestParquet(DataSourceContract):
    plugin = Parquet
    options: ClassVar[Any] = {"path": "rows.parquet"}
    expected = ROWS
    broken = ({"path": "bad.parquet"},)

    def files(self, root: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in ROWS]), root / "rows.parquet")
        (root / "bad.parquet").write_bytes(b"PAR1")


class TestTextClean(TransformContract):
    plugin = tuneloop_text.TextClean
    options: ClassVar[Any] = {"columns": ["text"], "drop_empty": True}
    rows = ({"text": " <b>a</b>  b ", "n": 1}, {"text": " ", "n": 2})
    expected = ({"text": "a b", "n": 1},)


class TestTextClassification(TaskContract):
    plugin = TextClassification


class TestTabularClassification(TaskContract):
    plugin = TabularClassification


class TestTabularRegression(TaskContract):
    plugin = TabularRegression


class TestTabularPreprocessor(PreprocessorContract):
    plugin = TabularPreprocessor
    columns = Columns({"size": "size", "color": "color"}, target="label")


@pytest.fixture(scope="module")
def tokenizer() -> str:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    made = Tokenizer(WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made.to_str()


class TestTextPreprocessor(PreprocessorContract):
    plugin = TextPreprocessor

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16})


class TestTabularMlp(BaseModelContract):
    plugin = tuneloop_tabular.TabularMlp
    options: ClassVar[Any] = {"hidden": [8, 4]}


QUICK = {"epochs": 2, "batch_size": 16, "head_learning_rate": 0.05}


class TestFull(StrategyContract):
    plugin = Full
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.01}


class TestFeatureExtraction(StrategyContract):
    plugin = FeatureExtraction
    options: ClassVar[Any] = QUICK


class TestGradualUnfreezing(StrategyContract):
    plugin = GradualUnfreezing
    options: ClassVar[Any] = {**QUICK, "head_epochs": 1, "learning_rate": 0.01}


class TestOnnx(ExporterContract):
    plugin = Onnx


for _cls in tuneloop_torchmetrics.tuneloop_metrics():
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (MetricContract,), {"plugin": _cls})

for _cls in signals.tuneloop_signals():
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (SignalContract,), {"plugin": _cls})
