"""`transformers-audio` passes the contract of base models; silence behind a sound never counts."""

from __future__ import annotations

import base64
import shutil
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tuneloop.api import Columns, PluginError
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import AudioPreprocessor
from tuneloop.tasks import AudioClassification
from tuneloop_transformers import TransformersAudio


def sound(seconds: float, hertz: float, rate: int = 8_000) -> str:
    """Base64 of a WAV file of 16-bit samples."""
    time = np.arange(int(seconds * rate)) / rate
    data = (8000 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode()


COLUMNS = Columns({"audio": "audio"}, target="label")
ROWS = tuple({"audio": sound(0.2 + 0.05 * n, 300 * (1 + n % 2)), "label": ("low", "high")[n % 2]} for n in range(6))


class TestTransformersAudio(BaseModelContract):
    plugin = TransformersAudio
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "seconds": 0.5}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, whisper: Path, tmp_path: Path) -> Path:
        self.source = whisper
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


def built(checkpoint: Path, seconds: float) -> tuple[Any, AudioPreprocessor]:
    base = TransformersAudio(TransformersAudio.Options(checkpoint=str(checkpoint), seconds=seconds))
    audio = AudioPreprocessor.fit(base.preprocessor(Path()).options, COLUMNS, None)
    return base.build(Path(), AudioClassification(("high", "low")), audio), audio


def test_a_whole_window_is_read_as_by_the_encoder_of_the_checkpoint(whisper: Path) -> None:
    import torch
    from transformers import WhisperModel

    model, audio = built(whisper, 30)
    (group,) = audio.encode(audio.check([{"audio": ROWS[0]["audio"]}]))
    inputs = {name: torch.from_numpy(array) for name, array in group.inputs.items()}
    with torch.no_grad():
        states = WhisperModel.from_pretrained(whisper).eval().encoder(inputs["input_features"]).last_hidden_state
        heard = int(inputs["heard"].sum())
        np.testing.assert_allclose(model.features(**inputs), states[:, :heard].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_another_kind_is_refused(checkpoint: Path) -> None:
    base = TransformersAudio(TransformersAudio.Options(checkpoint=str(checkpoint)))
    with pytest.raises(PluginError, match=r"feature extractor|cannot be loaded"):
        base.preprocessor(Path())
    with pytest.raises(PluginError, match="Whisper"):
        base.build(Path(), AudioClassification(("high", "low")), AudioPreprocessor.fit({}, COLUMNS, None))
