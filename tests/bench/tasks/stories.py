"""A small language model as it is: the served graph against torch, token by token."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.tasks.line import Line
from tests.bench.tasks.rows import shared

from tuneloop.api import Columns
from tuneloop.preprocessing import PromptPreprocessor
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import GeneratingPredictor
from tuneloop.tasks import TextGeneration

BEGINNINGS = (
    "Once upon a time", "Lily and Tom", "The big dog", "One day, a little girl", "There was a boy named Tim",
    "Mom said", "The sun was", "In the park,", "A cat and a bird", "Sue had a red ball", "It was a cold day",
    "Ben wanted to", "The old man", "She looked at the", "They played with", "The bear was very", "Max found a",
    "At night,", "Her friend", "The end of",
)  # fmt: skip
_TOKENS = 120


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """The share of greedy tokens that equal those of transformers' `generate`; nothing here is drawn by a seed."""
    from tuneloop_onnx import Onnx
    from tuneloop_transformers import CausalLM

    checkpoint = shared("models", "stories260K")
    beginnings = BEGINNINGS[:3] if quick else BEGINNINGS
    base = CausalLM(CausalLM.Options(checkpoint=str(checkpoint)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = PromptPreprocessor.fit(base.preprocessor(folder).options, Columns({"text": "text"}, "text"), None)
        graph = Onnx().export(base.build(folder, TextGeneration(), prompts), None, folder)
        predictor = GeneratingPredictor(graph, TextGeneration(), prompts)
        options = GenerationOptions(max_tokens=_TOKENS)
        told = [predictor.begin({"text": text}, options).run() for text in beginnings]
        megabytes = graph.stat().st_size / 1e6
    pairs = list(zip((one.tokens for one in told), _generate(checkpoint, [one.prompt for one in told]), strict=True))
    equal = sum(mine == theirs for one, other in pairs for mine, theirs in zip(one, other, strict=False))
    share = equal / sum(max(len(one), len(other)) for one, other in pairs)
    return [
        Line(
            name="stories260K",
            task="text-generation",
            data=f"{len(beginnings)} beginnings, {sum(len(one) for one, _ in pairs)} tokens told",
            model="stories260K, not tuned",
            metric="equal tokens",
            reference_name="transformers' generate",
            reference=1.0,
            tuned=(share,),
            onnx=(share,),
            megabytes=megabytes,
        )
    ]


def _generate(checkpoint: Path, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """What transformers itself says behind each prompt, greedily, its end token included."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    found = []
    for prompt in prompts:
        given = torch.tensor([list(prompt)])
        mask = torch.ones_like(given)
        told = model.generate(
            input_ids=given, attention_mask=mask, do_sample=False, max_new_tokens=_TOKENS, max_length=None
        )
        found.append(told[0, len(prompt) :].tolist())
    return found
