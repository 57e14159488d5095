"""`transformers-tokens` passes the contract of base models, and reads windows as they would be read alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import pytest

from tuneloop.api import ABSENT, Columns
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import WordsPreprocessor
from tuneloop.tasks import TokenClassification
from tuneloop_transformers import TransformersTokens

ROWS = (
    {"tokens": ["good", "days"], "tags": ["O", "B-time"]},
    {"tokens": ["bad", "night", "day"], "tags": ["O", "B-time", "I-time"]},
    {"tokens": ["good"], "tags": ["O"]},
    {"tokens": ["good", "day"] * 12, "tags": ["O", "B-time"] * 12},
)
COLUMNS = Columns({"tokens": "tokens"}, target="tags")


class TestTransformersTokens(BaseModelContract):
    plugin = TransformersTokens
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "max_length": 16, "overlap": 4}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, checkpoint: Path, tmp_path: Path) -> Path:
        self.source = checkpoint
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


@pytest.fixture
def model_and_words(checkpoint):
    base = TransformersTokens(TransformersTokens.Options(checkpoint=str(checkpoint), max_length=16, overlap=4))
    words = WordsPreprocessor.fit(base.preprocessor(Path()).options, COLUMNS, None)
    return base.build(Path(), TokenClassification(("O", "B-time")), words), words


def test_logits_stand_at_the_words_and_nowhere_else(model_and_words):
    import torch

    model, words = model_and_words
    for group in words.encode(words.check([{"tokens": row["tokens"]} for row in ROWS])):
        with torch.no_grad():
            outputs = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})
        logits = outputs["logits"].numpy()
        marked = group.inputs["first"].reshape(len(group.rows), -1) == 1
        assert (logits[~marked] == ABSENT).all()
        assert (logits[marked] > ABSENT / 2).all()


def test_a_window_is_read_as_if_it_came_alone(model_and_words):
    import torch

    model, words = model_and_words
    (group,) = words.encode(words.check([{"tokens": ROWS[3]["tokens"]}]))
    inputs = {name: torch.from_numpy(array) for name, array in group.inputs.items()}
    windows = inputs["first"].shape[1]
    assert windows > 1
    with torch.no_grad():
        together = model(**inputs)["logits"].numpy().reshape(windows, -1, 2)
        for window in range(windows):
            alone = model(**{name: tensor[:, window : window + 1] for name, tensor in inputs.items()})[
                "logits"
            ].numpy()[0]
            np.testing.assert_allclose(alone, together[window], rtol=1e-5, atol=1e-5)


def test_an_overlap_of_more_than_half_a_window_is_refused():
    with pytest.raises(pydantic.ValidationError, match="more than half"):
        TransformersTokens.Options(checkpoint="x", max_length=16, overlap=9)
