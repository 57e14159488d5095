"""The built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import tuneloop_jiwer
import tuneloop_river
import tuneloop_sacrebleu
import tuneloop_seqeval
import tuneloop_tabular
import tuneloop_text
import tuneloop_torchmetrics
import tuneloop_vision
from tuneloop.api import Column, Columns, Passage, Tensor
from tuneloop.api.testing import (
    BaseModelContract,
    DataSourceContract,
    DetectorContract,
    ExporterContract,
    MetricContract,
    PreprocessorContract,
    SignalContract,
    StrategyContract,
    TaskContract,
    TransformContract,
)
from tuneloop.api.testing.signal_models import EMBEDDING, GENERATING, MODELS, SPANNING, TAGGING, ServedModel
from tuneloop.monitoring import signals
from tuneloop.preprocessing import (
    AudioPreprocessor,
    ImagePreprocessor,
    PassagesPreprocessor,
    PromptPreprocessor,
    TabularPreprocessor,
    TextPreprocessor,
    WordsPreprocessor,
)
from tuneloop.preprocessing.clip import Clip
from tuneloop.preprocessing.picture import Picture
from tuneloop.tasks import (
    AudioClassification,
    ImageClassification,
    MultiLabelClassification,
    QuestionAnswering,
    TabularClassification,
    TabularRegression,
    TextClassification,
    TextGeneration,
    TextRegression,
    TokenClassification,
)
from tuneloop_files import AudioFolder, Csv, ImageFolder, Jsonl, Npz, Parquet
from tuneloop_onnx import Onnx
from tuneloop_torch import FeatureExtraction, Full, GradualUnfreezing, Lora

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGM4AQAAygDJmcpdfgAAAABJRU5ErkJggg=="
WAVE = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQQAAAABAAIA"
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


class TestNpz(DataSourceContract):
    plugin = Npz
    options: ClassVar[Any] = {
        "path": "rows.npz",
        "sounds": {"samples": "sound", "offsets": "ends", "rate": 8000},
        "names": {"who": "people"},
        "images": {"picture": "pixels"},
        "where": {"part": ["train"]},
    }
    expected = (
        {"audio": WAVE, "picture": DOT, "who": "ada", "part": "train", "x": [1.0, 2.0]},
        {"audio": WAVE, "picture": DOT, "who": "bob", "part": "train", "x": [5.0, 6.0]},
    )
    broken = (
        {"path": "rows.npy"},
        {"path": "bad.npz"},
        {"path": "rows.npz", "arrays": ["no"]},
        {"path": "rows.npz", "images": {"picture": "x"}},
        {"path": "rows.npz", "where": {"no": [1]}},
        {"path": "rows.npz", "names": {"who": "part"}},
        {"path": "rows.npz", "sounds": {"samples": "x", "offsets": "ends", "rate": 8000}},
        {"path": "rows.npz", "sounds": {"samples": "sound", "offsets": "x", "rate": 8000}},
        {"path": "pickle.npz", "arrays": ["x"]},
    )

    def files(self, root: Path) -> None:
        import numpy as np

        np.savez(
            root / "rows.npz",
            sound=np.array([1, 2] * 3, dtype=np.int16),
            ends=np.array([0, 2, 4, 6]),
            who=np.array([0, 0, 1]),
            people=np.array(["ada", "bob"]),
            part=np.array(["train", "test", "train"]),
            x=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
            pixels=np.full((3, 1, 1), 200, dtype=np.uint8),
        )
        np.save(root / "rows.npy", np.zeros(3))
        np.savez(root / "pickle.npz", x=np.array([{}, []], dtype=object))
        (root / "bad.npz").write_bytes(b"PK")


class TestAudioFolder(DataSourceContract):
    plugin = AudioFolder
    options: ClassVar[Any] = {"path": "sounds"}
    expected = (
        {"audio": "Yg==", "label": "cat", "file": "cat/deep/b.flac"},
        {"audio": "YQ==", "label": "dog", "file": "dog/a.WAV"},
    )
    broken = ({"path": "no"}, {"path": "sounds/dog"}, {"path": "sounds", "suffixes": [".aiff"]})

    def files(self, root: Path) -> None:
        for name, content in (("dog/a.WAV", b"a"), ("cat/deep/b.flac", b"b"), ("cat/notes.txt", b"c")):
            path = root / "sounds" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class TestImageFolder(DataSourceContract):
    plugin = ImageFolder
    options: ClassVar[Any] = {"path": "pictures"}
    expected = (
        {"image": "Yg==", "label": "cat", "file": "cat/deep/b.jpeg"},
        {"image": "YQ==", "label": "dog", "file": "dog/a.PNG"},
    )
    broken = ({"path": "no"}, {"path": "pictures/dog"}, {"path": "pictures", "suffixes": [".tiff"]})

    def files(self, root: Path) -> None:
        for name, content in (("dog/a.PNG", b"a"), ("cat/deep/b.jpeg", b"b"), ("cat/notes.txt", b"c")):
            path = root / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class TestTextClean(TransformContract):
    plugin = tuneloop_text.TextClean
    options: ClassVar[Any] = {"columns": ["text"], "drop_empty": True}
    rows = ({"text": " <b>a</b>  b ", "n": 1}, {"text": " ", "n": 2})
    expected = ({"text": "a b", "n": 1},)


class TestTextClassification(TaskContract):
    plugin = TextClassification


class TestAudioClassification(TaskContract):
    plugin = AudioClassification


class TestTokenClassification(TaskContract):
    plugin = TokenClassification
    columns = Columns({"tokens": "tokens"}, target="tags")
    rows = (
        {"tokens": ["In", "New", "York"], "tags": ["O", "B-place", "I-place"]},
        {"tokens": ["No"], "tags": ["O"]},
    )


class TestMultiLabelClassification(TaskContract):
    plugin = MultiLabelClassification


class TestTextGeneration(TaskContract):
    plugin = TextGeneration


class TestTextRegression(TaskContract):
    plugin = TextRegression


class TestImageClassification(TaskContract):
    plugin = ImageClassification


PASSAGES = (
    {"q": "Who barks?", "c": "The dog barks.", "a": ["The dog", "dog"]},
    {"q": "Who sleeps?", "c": "A cat sleeps here", "a": ["A cat"]},
)
PASSAGE_COLUMNS = Columns({"question": "q", "context": "c"}, target="a")


class TestQuestionAnswering(TaskContract):
    plugin = QuestionAnswering
    columns = PASSAGE_COLUMNS
    rows = PASSAGES

    def checked(self) -> list[dict[str, Any]]:
        rows = []
        for row in self.rows:
            passage = Passage(row["c"])
            passage.offsets = np.array([match.span() for match in re.finditer(r"\w+", passage)])
            rows.append({"q": row["q"], "c": passage})
        return rows


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


class TestPromptPreprocessor(PreprocessorContract):
    plugin = PromptPreprocessor
    columns = Columns({"text": "text", "completion": "label"}, target="label")

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16, "stop_ids": [0]})


class TestWordsPreprocessor(PreprocessorContract):
    plugin = WordsPreprocessor
    columns = Columns({"tokens": "text"}, target="label")

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16, "overlap": 4})


class TestPassagesPreprocessor(PreprocessorContract):
    plugin = PassagesPreprocessor
    columns = PASSAGE_COLUMNS
    rows = (*PASSAGES, {"q": "Why?", "c": "abcdefgh " * 3, "a": ["a"]})

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 24, "overlap": 4})


class TestAudioPreprocessor(PreprocessorContract):
    plugin = AudioPreprocessor
    options: ClassVar[Any] = {"seconds": 1.0}
    columns = Columns({"audio": "audio"}, target="label")
    rows = tuple(
        {"audio": {"array": [0.0, 0.25 * n, -0.5] * 50, "sampling_rate": rate}, "label": "a"}
        for n, rate in enumerate((8_000, 16_000, 44_100))
    )


PICTURES = tuple(
    {"image": {"array": [[7 * n, 255 - n, 9 * x] for x in range(5 + n)]}, "label": ("a", "b")[n % 2]} for n in range(4)
)
PICTURE_COLUMNS = Columns({"image": "image"}, target="label")


class TestImagePreprocessor(PreprocessorContract):
    plugin = ImagePreprocessor
    options: ClassVar[Any] = {"height": 8, "width": 12}
    columns = PICTURE_COLUMNS
    rows = PICTURES


class TestImageCnn(BaseModelContract):
    plugin = tuneloop_vision.ImageCnn
    options: ClassVar[Any] = {"size": 16, "widths": [4, 6], "channels": 1}
    columns = PICTURE_COLUMNS
    rows = PICTURES


class TestEfficientNetLite0(BaseModelContract):
    plugin = tuneloop_vision.EfficientNetLite0
    options: ClassVar[Any] = {"checkpoint": "lite0", "size": 32}
    columns = PICTURE_COLUMNS
    rows = PICTURES[:2]

    def files(self, root: Path) -> None:
        import torch
        from safetensors.torch import save_file

        from tuneloop_vision.efficientnet_network import Backbone

        torch.manual_seed(1)
        (root / "lite0").mkdir(exist_ok=True)
        weights = {f"timm_model.{name}": tensor for name, tensor in Backbone().state_dict().items()}
        weights["timm_model.classifier.bias"] = torch.zeros(1000)
        save_file(weights, root / "lite0" / "model.safetensors")


class TestTabularMlp(BaseModelContract):
    plugin = tuneloop_tabular.TabularMlp
    options: ClassVar[Any] = {"hidden": [8, 4]}


SOUND = ServedModel(
    (Column("audio", "audio"),),
    (Tensor("input_features", "float32", ("batch", 4, 6)),),
    ("high", "low"),
    tuple({"audio": Clip.read({"array": [0.1, -0.2] * n, "sampling_rate": 8000}, 1.0)} for n in (1, 5)),
    EMBEDDING,
)

PICTURE = ServedModel(
    (Column("image", "image"),),
    (Tensor("pixels", "uint8", ("batch", 3, 4, 4)),),
    ("cat", "dog"),
    tuple({"image": Picture.read({"array": [[9 * n, 200]] * n})} for n in (1, 5)),
    EMBEDDING,
)

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


class TestLora(StrategyContract):
    plugin = Lora
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.05, "rank": 2}


class TestDora(StrategyContract):
    plugin = Lora
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.05, "rank": 2, "dora": True}


class TestFullWithEverything(StrategyContract):
    plugin = Full
    options: ClassVar[Any] = {
        **QUICK,
        "learning_rate": 0.01,
        "layer_decay": 0.9,
        "schedule": "polynomial",
        "micro_batch_size": 5,
        "l1": 1e-5,
        "freeze": {"names": ["table.*"]},
        "reinitialize": {"head": "xavier", "layers": 1},
    }


class TestOnnx(ExporterContract):
    plugin = Onnx


METRICS = (tuneloop_torchmetrics, tuneloop_seqeval, tuneloop_sacrebleu, tuneloop_jiwer)
for _cls in (metric for plugin in METRICS for metric in plugin.tuneloop_metrics()):
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (MetricContract,), {"plugin": _cls})

for _cls in tuneloop_river.tuneloop_detectors():
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (DetectorContract,), {"plugin": _cls})

for _cls in signals.tuneloop_signals():
    globals()[f"Test{_cls.__name__}"] = type(
        f"Test{_cls.__name__}",
        (SignalContract,),
        {"plugin": _cls, "models": (*MODELS, *TAGGING, *SPANNING, *GENERATING, SOUND, PICTURE)},
    )
