"""`ctc` passes the contract of base models with both kinds of encoders, and keeps a checkpoint's own last layer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.plugins.tuneloop_transformers.test_audio import sound

from tuneloop.api import ABSENT, Columns, ExportSpec, PluginError, Tensor
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import AudioPreprocessor, WaveformPreprocessor
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.transcripts import BLANK
from tuneloop_onnx import Onnx
from tuneloop_transformers import Ctc
from tuneloop_transformers.ctc_network import BLANK as CHECKPOINT_BLANK

COLUMNS = Columns({"audio": "audio"}, target="text")
ROWS = tuple({"audio": sound(0.2 + 0.05 * n, 300 * (1 + n % 2)), "text": ("low a", "high b")[n % 2]} for n in range(6))


class TestWhisper(BaseModelContract):
    plugin = Ctc
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


class TestWaves(TestWhisper):
    @pytest.fixture
    def root(self, waves: Path, tmp_path: Path) -> Path:
        self.source = waves
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny wav2vec2 model with a last layer over characters, as `save_pretrained` writes it."""
    return saved_waves(tmp_path_factory.mktemp("waves"), "layer")


def saved_waves(folder: Path, norm: str) -> Path:
    torch = pytest.importorskip("torch")
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    letters = ["<pad>", "<unk>", "|", "L", "O", "W"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: place for place, letter in enumerate(letters)}))
    Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer").save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        Wav2Vec2ForCTC(
            Wav2Vec2Config(
                vocab_size=len(letters),
                hidden_size=16,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=32,
                conv_dim=(8, 8),
                conv_kernel=(10, 8),
                conv_stride=(20, 16),
                num_feat_extract_layers=2,
                num_conv_pos_embeddings=4,
                num_conv_pos_embedding_groups=2,
                feat_extract_norm=norm,
                do_stable_layer_norm=norm == "layer",
            )
        ).save_pretrained(folder)
    return folder


def built(checkpoint: Path, seconds: float = 0.5) -> tuple[Any, Any, AutomaticSpeechRecognition]:
    base = Ctc(Ctc.Options(checkpoint=str(checkpoint), seconds=seconds))
    choice = base.preprocessor(Path())
    kind = {"audio": AudioPreprocessor, "waveform": WaveformPreprocessor}[choice.name]
    task = AutomaticSpeechRecognition([BLANK, " ", "l", "o", "w", "z"])
    preprocessor = kind.fit(choice.options, COLUMNS, None)  # type: ignore[arg-type]
    return base.build(Path(), task, preprocessor), preprocessor, task


def test_one_name_of_the_blank() -> None:
    assert CHECKPOINT_BLANK == BLANK


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_frames_are_those_of_the_whole_model(norm: str, tmp_path: Path) -> None:
    """Own preprocessing, encoder and kept rows give the logits of transformers' own model for these characters."""
    import torch
    from transformers import AutoProcessor, Wav2Vec2ForCTC

    from tuneloop.preprocessing.clip import Clip
    from tuneloop.preprocessing.resample import resample

    checkpoint = saved_waves(tmp_path, norm)
    model, waveform, _ = built(checkpoint)
    (group,) = waveform.encode(waveform.check([{"audio": ROWS[0]["audio"]}]))
    with torch.no_grad():
        found = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})["logits"][0].numpy()
    clip = Clip.read(ROWS[0]["audio"], 1).sound
    samples = resample(clip.samples, clip.rate, 16_000)
    processor = AutoProcessor.from_pretrained(checkpoint)
    given = processor(samples, sampling_rate=16_000, return_tensors="pt", padding="max_length", max_length=8_000)
    with torch.no_grad():
        right = Wav2Vec2ForCTC.from_pretrained(checkpoint).eval()(**given).logits[0].numpy()
    held = found[:, 0] > ABSENT / 2
    assert 5 < held.sum() < len(found)
    np.testing.assert_allclose(found[held][:, :5], right[: held.sum()][:, [0, 2, 3, 4, 5]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["whisper", "waves"])
def test_silence_behind_a_sound_never_counts(kind: str, request: pytest.FixtureRequest) -> None:
    model, preprocessor, task = built(request.getfixturevalue(kind))
    (group,) = preprocessor.encode(preprocessor.check([{"audio": row["audio"]} for row in ROWS]))
    import torch

    with torch.no_grad():
        found = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})
    held = (found["logits"][..., 0] > ABSENT / 2).sum(dim=1)
    assert held.tolist() == sorted(held.tolist())
    assert held[0] < held[-1] < found["logits"].shape[1]
    assert len(task.answers({"logits": found["logits"].numpy()})) == len(ROWS)


@pytest.mark.parametrize("kind", ["whisper", "waves"])
def test_the_graph_answers_as_the_model(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    import onnxruntime
    import torch

    model, preprocessor, _ = built(request.getfixturevalue(kind))
    (group,) = preprocessor.encode(preprocessor.check([{"audio": row["audio"]} for row in ROWS]))
    with torch.no_grad():
        right = {
            name: tensor.numpy()
            for name, tensor in model(**{n: torch.from_numpy(array) for n, array in group.inputs.items()}).items()
        }
    outputs = tuple(Tensor(name, "float32", ("batch", *array.shape[1:])) for name, array in right.items())
    spec = ExportSpec(preprocessor.tensors, outputs, {name: array[:3] for name, array in group.inputs.items()})
    file = Onnx(Onnx.Options()).export(model, spec, tmp_path)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for size in (1, 4):
        given = {name: array[:size] for name, array in group.inputs.items()}
        for name, array in zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True):
            np.testing.assert_allclose(array, right[name][:size], rtol=1e-4, atol=1e-4)


def test_a_checkpoint_of_another_kind_is_refused(checkpoint: Path) -> None:
    base = Ctc(Ctc.Options(checkpoint=str(checkpoint)))
    with pytest.raises(PluginError, match="cannot be loaded"):
        base.preprocessor(Path())
    task, waveform = AutomaticSpeechRecognition([BLANK, "a"]), WaveformPreprocessor.fit({}, COLUMNS, None)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="reads the encoders of"):
        base.build(Path(), task, waveform)


@pytest.mark.parametrize("kind", ["whisper", "waves"])
def test_frames_are_told_without_listening(kind: str, request: pytest.FixtureRequest) -> None:
    import torch

    model, preprocessor, _ = built(request.getfixturevalue(kind))
    (group,) = preprocessor.encode(preprocessor.check([{"audio": row["audio"]} for row in ROWS]))
    with torch.no_grad():
        found = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})
    held = (found["logits"][..., 0] > ABSENT / 2).sum(dim=1)
    assert model.frames({name: group.inputs[name] for name in model.frame_inputs}).tolist() == held.tolist()


def test_beams_are_asked_for_by_the_model() -> None:
    task = AutomaticSpeechRecognition([BLANK, "a"])
    answered = Ctc(Ctc.Options(checkpoint="x", beams=4)).answering(task)
    assert isinstance(answered, AutomaticSpeechRecognition)
    assert (answered.beams, answered.output_names) == (4, task.output_names)
