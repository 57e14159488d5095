"""Adapters in models that write and in models of frames: they learn, are merged, and nothing of them is left."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from tests.plugins.tuneloop_transformers import test_ctc, test_seq2seq, test_speech_seq2seq

from tuneloop.api import TrainingData
from tuneloop.pipeline.data.encoded import as_dataset, padded
from tuneloop.preprocessing import TextToTextPreprocessor
from tuneloop.tasks import Translation
from tuneloop_torch import Lora
from tuneloop_transformers import Seq2Seq, SmallSeq2Seq

KINDS = ("t5", "marian", "bart", "small", "frames of a whisper", "frames of waves", "whisper")


def made(kind: str, folder: Path, whisper: Path) -> tuple[Any, Any, Any, tuple[Any, ...], str]:
    """Model, preprocessor, task, rows, and the column of right answers."""
    if kind == "whisper":
        model, preprocessor, task = test_speech_seq2seq.built(test_speech_seq2seq.saved(folder / "tiny"), seconds=1.0)
        return model, preprocessor, task, test_speech_seq2seq.ROWS, "text"
    if kind.startswith("frames"):
        (folder / "tiny").mkdir(parents=True)
        checkpoint = whisper if kind.endswith("whisper") else test_ctc.saved_waves(folder / "tiny", "layer")
        return *test_ctc.built(checkpoint), test_ctc.ROWS, "text"
    base: Any = SmallSeq2Seq(SmallSeq2Seq.Options(vocabulary=40, width=16, layers=1, heads=2, max_length=16))
    if kind != "small":
        checkpoint = test_seq2seq.write_checkpoint(folder / "tiny", kind)
        base = Seq2Seq(Seq2Seq.Options(checkpoint=str(checkpoint), max_length=16, max_target_length=12))
    rows, task = test_seq2seq.ROWS, Translation()
    options = base.preprocessor(folder).options
    preprocessor = TextToTextPreprocessor.fit(options, test_seq2seq.COLUMNS, Dataset.from_list(list(rows)))
    return base.build(folder, task, preprocessor), preprocessor, task, rows, "label"


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_adapters_learn_and_are_merged(kind: str, dora: bool, tmp_path: Path, whisper: Path) -> None:
    model, preprocessor, task, rows, target = made(kind, tmp_path, whisper)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    # Models that write read right answers among their inputs.
    asked_of = [{"audio": row["audio"]} for row in rows] if task.loss == "ctc" else rows
    checked = preprocessor.check(asked_of)
    encoded = preprocessor.encode(checked)
    data = as_dataset(encoded, task.targets_to(checked, [row[target] for row in rows]), preprocessor.tensors)
    asked = itertools.count()
    given = TrainingData(
        train=data,
        validation=data,
        tensors=preprocessor.tensors,
        loss=task.loss,
        # The last epoch is the best one.
        metric=lambda *_: {"asked": float(next(asked))},
        best="asked",
        maximize=True,
    )
    options = Lora.Options(epochs=6, batch_size=2, learning_rate=2e-2, rank=4, dora=dora, adapter_dropout=0.0)
    result = Lora(options).fit(model, given, tmp_path / "fit", 0, lambda _: None)
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    after = model.state_dict()
    assert list(after) == list(before), "what is exported has the shape it had before"
    changed = {name for name in before if not before[name].equal(after[name])}
    assert len(changed) > 1
    assert all(value.isfinite().all() for value in after.values())
    plain = made(kind, tmp_path / "again", whisper)[0]
    kinds = [{name: type(module).__name__ for name, module in one.named_modules()} for one in (plain, model)]
    assert kinds[0] == kinds[1], "exporters meet what they met before"
    plain.load_state_dict(after)
    batch = padded(encoded, preprocessor.tensors, range(len(rows)))
    found, right = (Lora(options).outputs(one, batch)["logits"] for one in (plain, model))
    np.testing.assert_array_equal(found, right)
