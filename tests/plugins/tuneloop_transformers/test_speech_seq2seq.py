"""`speech-seq2seq`: a tiny Whisper model passes the contract, and writes on ONNX Runtime what torch writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.plugins.tuneloop_transformers.test_audio import sound

from tuneloop.api import ABSENT, Columns, ExportSpec, PluginError, RequestError, Tensor
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import SpeechToTextPreprocessor
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.written_speech import WrittenSpeech
from tuneloop_onnx import Onnx
from tuneloop_transformers import SpeechSeq2Seq

COLUMNS = Columns({"audio": "audio", "completion": "text"}, target="text")
ROWS = tuple({"audio": sound(0.2 + 0.2 * n, 300 * (1 + n % 2)), "text": ("a low one", "high")[n % 2]} for n in range(4))
SPECIAL = ("<|end|>", "<|start|>", "<|de|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")


class TestSpeechSeq2Seq(BaseModelContract):
    plugin = SpeechSeq2Seq
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "seconds": 1.0, "max_tokens": 8}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, speech: Path, tmp_path: Path) -> Path:
        self.source = speech
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny whole Whisper model of one language, as `save_pretrained` writes it."""
    return saved(tmp_path_factory.mktemp("speech"))


def saved(folder: Path, **generation: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as Decoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    plain = Tokenizer(BPE())
    plain.pre_tokenizer, plain.decoder = ByteLevel(add_prefix_space=False), Decoder()
    letters = sorted(ByteLevel.alphabet())
    texts = [row["text"] for row in ROWS]
    plain.train_from_iterator(texts, BpeTrainer(vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=letters))
    end, start, *_, bare = (plain.token_to_id(token) for token in SPECIAL)
    PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=SPECIAL[0], pad_token=SPECIAL[0]).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = WhisperForConditionalGeneration(
            WhisperConfig(
                vocab_size=plain.get_vocab_size(),
                num_mel_bins=16,
                d_model=16,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=32,
                decoder_ffn_dim=32,
                max_target_positions=16,
                pad_token_id=end,
                bos_token_id=end,
                eos_token_id=end,
                decoder_start_token_id=start,
                init_std=0.4,
            )
        )
    model.generation_config = GenerationConfig(
        **{
            "decoder_start_token_id": start,
            "eos_token_id": end,
            "pad_token_id": end,
            "no_timestamps_token_id": bare,
            "suppress_tokens": [start, bare],
            "begin_suppress_tokens": [end],
            "is_multilingual": False,
            "max_length": 16,
            **generation,
        }
    )
    model.save_pretrained(folder)
    return folder


def built(checkpoint: Path, **options: Any) -> tuple[Any, SpeechToTextPreprocessor, WrittenSpeech]:
    base = SpeechSeq2Seq(SpeechSeq2Seq.Options(checkpoint=str(checkpoint), **options))
    preprocessor = SpeechToTextPreprocessor.fit(base.preprocessor(Path()).options, COLUMNS, None)  # type: ignore[arg-type]
    task = WrittenSpeech()
    return base.build(Path(), task, preprocessor), preprocessor, task


def greedy(model: Any, preprocessor: SpeechToTextPreprocessor, row: Any) -> list[int]:
    target = preprocessor.settings.target
    (found,) = model.greedy(
        preprocessor.source(row),
        target.start_ids,
        target.max_length - len(target.start_ids),
        target.stop_ids,
        forbidden=target.forbidden_ids,
        forbidden_first=target.forbidden_first_ids,
    )
    return list(found)


def exported(model: Any, preprocessor: SpeechToTextPreprocessor, folder: Path) -> Path:
    (group, *_) = preprocessor.encode(preprocessor.check([ROWS[0]] * 3))
    spec = ExportSpec(preprocessor.tensors, (Tensor("logits", "float32", ("batch", "places", 1)),), group.inputs)
    return Onnx(Onnx.Options()).export(model, spec, folder)


def test_the_task_has_the_form_of_the_model() -> None:
    task = AutomaticSpeechRecognition.trained_by(SpeechSeq2Seq.loss)
    assert task is WrittenSpeech
    assert type(AutomaticSpeechRecognition.from_state(task().state())) is WrittenSpeech


def test_greedy_is_what_transformers_generates(speech: Path) -> None:
    import torch
    from transformers import AutoModelForSpeechSeq2Seq

    model, preprocessor, _ = built(speech)
    whole = AutoModelForSpeechSeq2Seq.from_pretrained(speech).eval()
    written = []
    for row in preprocessor.check([{"audio": row["audio"]} for row in ROWS]):
        features = torch.from_numpy(preprocessor.source(row)["input_features"])
        right = whole.generate(features, do_sample=False, num_beams=1)[0].tolist()
        written.append(greedy(model, preprocessor, row))
        start = len(preprocessor.start)
        right = right[start:] if right[:start] == preprocessor.start else right
        # Its own loop goes on behind the longest text with what it takes for the next window.
        assert right[: len(written[-1])] == written[-1]
    assert len({tuple(one) for one in written}) > 1


def test_the_graphs_write_what_torch_writes(speech: Path, tmp_path: Path) -> None:
    import torch

    model, preprocessor, task = built(speech, seconds=1.0)
    predictor = open_predictor(exported(model, preprocessor, tmp_path), task, preprocessor)
    rows = preprocessor.check([{"audio": row["audio"]} for row in ROWS])
    for row in rows:
        one = predictor.begin(row).run()  # type: ignore[attr-defined]
        assert one.tokens == greedy(model, preprocessor, row)
    beams = predictor.begin(rows[0], GenerationOptions(beams=3)).run()  # type: ignore[attr-defined]
    assert beams.tokens
    (answer,) = predictor.predict(rows[:1]).answers
    assert answer["text"] == answer["text"].strip()
    assert task.AnswerModel.model_validate(answer)
    (group, *_) = preprocessor.encode(preprocessor.check([ROWS[1]]))
    with torch.no_grad():
        right = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})["logits"].numpy()
    np.testing.assert_allclose(predictor.run(group.inputs)["logits"], right, rtol=1e-4, atol=1e-4)


def test_both_graphs_have_a_variant_of_8_bits(speech: Path, tmp_path: Path) -> None:
    import onnx

    model, preprocessor, task = built(speech, seconds=1.0)
    source, target = exported(model, preprocessor, tmp_path), tmp_path / "small" / "model.onnx"
    target.parent.mkdir()
    Onnx(Onnx.Options()).quantize(source, "int8-dynamic", target)
    for name in ("model.onnx", "encoder.onnx"):
        weights = onnx.load(target.with_name(name)).graph.initializer
        assert any(weight.data_type == onnx.TensorProto.INT8 for weight in weights), name
        assert target.with_name(name).stat().st_size < source.with_name(name).stat().st_size
    plain, small = (open_predictor(file, task, preprocessor) for file in (source, target))
    (group, *_) = preprocessor.encode(preprocessor.check([ROWS[1]]))
    right, found = (one.run(group.inputs)["logits"] for one in (plain, small))
    assert 0 < np.abs(found - right)[right > ABSENT / 2].max() < 1.0
    (row, *_) = preprocessor.check([{"audio": ROWS[1]["audio"]}])
    assert small.begin(row).run().tokens  # type: ignore[attr-defined]


def test_right_answers_are_learned_behind_the_first_tokens(speech: Path) -> None:
    _, preprocessor, _ = built(speech, max_tokens=5)
    tokens = preprocessor.target("  a low one ")
    assert tokens[:2] == preprocessor.start
    assert preprocessor.tokenizer.decode(tokens[2:]) == " a low one"
    assert tokens[-1] == preprocessor.settings.target.stop_ids[0]
    assert len(preprocessor.target("high high high high high high high")) == 7


def test_a_model_of_many_languages_needs_one(tmp_path: Path) -> None:
    known = {"<|de|>": 2, "<|en|>": 3}
    folder = saved(tmp_path, is_multilingual=True, lang_to_id=known, task_to_id={"transcribe": 4})
    _, preprocessor, _ = built(folder, language="de")
    assert preprocessor.start == [1, 2, 4, 5]
    with pytest.raises(PluginError, match="Known: de, en"):
        built(folder)
    with pytest.raises(PluginError, match=r"'fr'.*Known: de, en"):
        built(folder, language="fr")


def test_what_is_too_long_or_no_whole_checkpoint_is_refused(speech: Path, tmp_path: Path) -> None:
    _, preprocessor, _ = built(speech, seconds=1.0)
    with pytest.raises(RequestError, match="at most 1 s"):
        preprocessor.check([{"audio": sound(1.2, 300)}])
    bare = tmp_path / "bare"
    shutil.copytree(speech, bare)
    (bare / "generation_config.json").unlink()
    with pytest.raises(PluginError, match=r"lacks generation_config\.json"):
        built(bare)


LIBRIVOX = Path(__file__).parents[4] / "shared" / "data" / "librivox_5"
CHECKPOINT = LIBRIVOX.parents[1] / "models" / "whisper-tiny-en"


@pytest.mark.slow
def test_a_whole_whisper_writes_down_what_was_read_aloud(tmp_path: Path) -> None:
    if not (LIBRIVOX.is_dir() and CHECKPOINT.is_dir()):
        pytest.skip("needs the data set librivox_5 and the model whisper-tiny-en")
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    from tuneloop.api import Predictions
    from tuneloop_files import AudioTranscripts
    from tuneloop_jiwer import WordErrorRate

    table = AudioTranscripts(AudioTranscripts.Options(path=str(LIBRIVOX / "transcripts.jsonl"))).load(Path())
    model, preprocessor, task = built(CHECKPOINT)
    predictor = open_predictor(exported(model, preprocessor, tmp_path), task, preprocessor)
    rows = preprocessor.check([{"audio": one} for one in table["audio"]])
    prediction = predictor.predict(rows)
    texts = [answer["text"] for answer in prediction.answers]
    torch_tokens = [greedy(model, preprocessor, row) for row in rows]
    assert texts == [preprocessor.tokenizer.decode(tokens, skip_special_tokens=True).strip() for tokens in torch_tokens]

    def errors(said: list[str], right: list[str]) -> list[float]:
        values, references = np.empty(5, dtype=object), np.empty(5, dtype=object)
        values[:], references[:] = said, [(one,) for one in right]
        return WordErrorRate().parts(Predictions(values), references).sum(axis=0).tolist()

    # Of these one is `mr` for `mister`, which Whisper's own rules for English take for the same.
    assert errors([task.said(answer) for answer in prediction.answers], list(table["text"])) == [4, 71]
    english = EnglishTextNormalizer({})
    assert errors([english(text) for text in texts], [english(text) for text in table["text"]]) == [3, 71]
    assert json.dumps(prediction.answers)
