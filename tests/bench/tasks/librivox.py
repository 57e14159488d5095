"""Five sentences read aloud, written down by Whisper tiny.en as it is: the served graphs against torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.tasks.line import Line
from tests.bench.tasks.rows import shared

from tuneloop.api import Columns, ExportSpec, Tensor
from tuneloop.preprocessing import SpeechToTextPreprocessor
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.tasks.written_speech import WrittenSpeech

WANTED = 0.042
"""Word error rate that was scouted with this model, under Whisper's own rules for English."""


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """The word error rate of the graphs beside that of transformers' `generate`; nothing here is drawn by a seed."""
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    from tuneloop_files import AudioTranscripts
    from tuneloop_onnx import Onnx
    from tuneloop_transformers import SpeechSeq2Seq

    checkpoint, folder = shared("models", "whisper-tiny-en"), shared("data", "librivox_5")
    table = AudioTranscripts(AudioTranscripts.Options(path=str(folder / "transcripts.jsonl"))).load(Path())
    read = list(table["text"])
    base = SpeechSeq2Seq(SpeechSeq2Seq.Options(checkpoint=str(checkpoint)))
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        task = WrittenSpeech()
        preprocessor = SpeechToTextPreprocessor.fit(
            base.preprocessor(here).options, Columns({"audio": "audio", "completion": "text"}, "text"), None
        )
        (sample,) = preprocessor.encode(preprocessor.check([{"audio": table["audio"][0], "text": read[0]}] * 2))
        logits = Tensor("logits", "float32", ("batch", "places", 1))
        spec = ExportSpec(preprocessor.tensors, (logits,), sample.inputs)
        graph = Onnx(Onnx.Options()).export(base.build(here, task, preprocessor), spec, here)
        predictor = open_predictor(graph, task, preprocessor)
        rows = preprocessor.check([{"audio": sound} for sound in table["audio"]])
        written = [str(answer["text"]) for answer in predictor.predict(rows).answers]
        megabytes = sum(file.stat().st_size for file in here.rglob("*.onnx")) / 1e6
    plain = _generate(checkpoint, folder)
    english = EnglishTextNormalizer({})
    right = [english(text) for text in read]
    found, reference = (_error([english(text) for text in texts], right) for texts in (written, plain))
    equal = sum(mine == other.strip() for mine, other in zip(written, plain, strict=True))
    words = sum(len(text.split()) for text in right)
    return [
        Line(
            name="librivox_5",
            task="automatic-speech-recognition",
            data=f"{len(read)} sentences, {words} words",
            model="Whisper tiny.en, not tuned",
            metric="word error rate",
            reference_name="transformers' generate",
            reference=reference,
            tuned=(found,),
            onnx=(found,),
            higher_is_better=False,
            megabytes=megabytes,
            note=f"{equal} of {len(read)} texts equal torch's; {WANTED} is wanted; by Whisper's rules for English.",
        )
    ]


def _error(said: Sequence[str], right: Sequence[str]) -> float:
    import jiwer

    return float(jiwer.wer(list(right), list(said)))


def _generate(checkpoint: Path, folder: Path) -> list[str]:
    """What transformers itself writes down, greedily."""
    import soundfile
    import torch
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    model = AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint, dtype=torch.float32).eval()
    processor: Any = AutoProcessor.from_pretrained(checkpoint)
    texts = []
    for line in (folder / "transcripts.jsonl").read_text(encoding="utf-8").splitlines():
        sound, rate = soundfile.read(folder / json.loads(line)["file"], dtype="float32")
        inputs = processor(sound, sampling_rate=rate, return_tensors="pt")
        tokens = model.generate(inputs["input_features"], num_beams=1, do_sample=False)
        texts.append(str(processor.batch_decode(tokens, skip_special_tokens=True)[0]))
    return texts
