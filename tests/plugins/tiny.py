"""A tiny text model, rows it can learn, and runs that kill themselves; also a script: `tiny.py COMMAND FOLDER ...`."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset

from tuneloop.api import ExportSpec, Tensor, TrainingData

torch.set_num_threads(1)

VOCABULARY, WIDTH, CLASSES = 60, 16, 3
TENSORS = (
    Tensor("input_ids", "int64", ("batch", "length")),
    Tensor("attention_mask", "int64", ("batch", "length")),
)


def model(layers: int = 3, dropout: float = 0.1):
    """A random BERT classifier, equal on every call."""
    from transformers import BertConfig, BertModel

    from tuneloop_transformers.network import PooledClassifier

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        backbone = BertModel(
            BertConfig(
                vocab_size=VOCABULARY,
                hidden_size=WIDTH,
                num_hidden_layers=layers,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=32,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
        )
        return PooledClassifier(backbone, CLASSES, "mean", dropout).eval()


def rows(count: int, seed: int) -> Dataset:
    """Rows of mixed length whose class is the third of the vocabulary most of their tokens come from."""
    random = np.random.default_rng(seed)
    ids, labels = [], []
    for _ in range(count):
        label, length = int(random.integers(CLASSES)), int(random.integers(3, 16))
        low = 1 + label * 19
        own = random.integers(low, low + 19, length)
        noise = random.integers(1, VOCABULARY, length)
        ids.append(np.where(random.random(length) < 0.7, own, noise).tolist())
        labels.append(label)
    return Dataset.from_dict(
        {
            "input_ids": ids,
            "attention_mask": [[1] * len(row) for row in ids],
            "labels": labels,
            "length": [len(row) for row in ids],
        }
    )


def metric(logits, labels) -> dict[str, float]:
    return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}


def data(train: int = 96, validation: int = 40) -> TrainingData:
    return TrainingData(rows(train, 1), rows(validation, 2), TENSORS, "cross_entropy", metric, "accuracy", True)


PROMPTS = (*TENSORS, Tensor("scored", "int64", ("batch", "length")))


def writer(layers: int = 2):
    """A random GPT-2 without dropout that scores what it reads, equal on every call."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from tuneloop_transformers.causal_network import CausalNetwork

    sizes = {"vocab_size": VOCABULARY, "n_embd": WIDTH, "n_layer": layers, "n_head": 2, "n_positions": 64}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        config = GPT2Config(**sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=2)
        return CausalNetwork(GPT2LMHeadModel(config)).eval()


def prompts(count: int, seed: int) -> Dataset:
    """Texts of 3 to 30 tokens of which the last ones, from one to nearly all, are to be learned."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 31, count)
    starts = [int(random.integers(1, length)) for length in lengths]
    pairs = list(zip(lengths.tolist(), starts, strict=True))
    return Dataset.from_dict(
        {
            "input_ids": [random.integers(1, VOCABULARY, length).tolist() for length, _ in pairs],
            "attention_mask": [[1] * length for length, _ in pairs],
            "scored": [[0] * start + [1] * (length - start) for length, start in pairs],
            "labels": [0] * count,
            "length": [length for length, _ in pairs],
        }
    )


def perplexity(logits, labels) -> dict[str, float]:
    return {"perplexity": float(np.exp(-logits[logits > -1e8].mean()))}


def written(train: int = 40, validation: int = 20) -> TrainingData:
    return TrainingData(
        prompts(train, 1), prompts(validation, 2), PROMPTS, "likelihood", perplexity, "perplexity", False
    )


def weights_hash(module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def strategy():
    from tuneloop_torch import Full, GradualUnfreezing, Lora

    if os.environ.get("TINY_STRATEGY") == "full":
        return Full(Full.Options(epochs=1, learning_rate=1e-3, batch_size=32))
    if os.environ.get("TINY_STRATEGY") == "lora":
        return Lora(
            Lora.Options(
                epochs=3, learning_rate=1e-2, batch_size=16, checkpoint_steps=4, dora=True, micro_batch_size=6, l1=1e-4,
                reinitialize={"layers": 1}, schedule="polynomial", layer_decay=0.8,
            )
        )  # fmt: skip
    return GradualUnfreezing(
        GradualUnfreezing.Options(
            epochs=3, head_epochs=3, learning_rate=1e-3, batch_size=16, checkpoint_steps=4, embeddings=True
        )
    )


def fit(folder: Path):
    network = model()
    result = strategy().fit(network, data(), folder, 5, lambda _: None)
    return network, result


def kill_after(steps: int) -> None:
    """Kill this process in the middle of the given training step, counted over all stages of this process."""
    from tuneloop_torch.loop import Loop

    original, done = Loop.training_step, [0]

    def step(self, *arguments, **rest):
        done[0] += 1
        if done[0] == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *arguments, **rest)

    Loop.training_step = step


def kill_in_save(saves: int) -> None:
    """Kill this process when the given checkpoint has its weights, but not yet its optimizer."""
    from tuneloop_torch import loop

    original, done = loop.save_optimizer, [0]

    def save(folder, *rest):
        done[0] += 1
        if done[0] == saves:
            os.kill(os.getpid(), signal.SIGKILL)
        original(folder, *rest)

    loop.save_optimizer = save


def export_spec(length: int = 11) -> ExportSpec:
    example = {tensor.name: np.ones((3, length), np.int64) for tensor in TENSORS}
    outputs = (Tensor("logits", "float32", ("batch", CLASSES)), Tensor("embedding", "float32", ("batch", WIDTH)))
    return ExportSpec(TENSORS, outputs, example)


def export(folder: Path) -> Path:
    from tuneloop_onnx import Onnx

    folder.mkdir(parents=True)
    path = Onnx().export(model(), export_spec(), folder)
    Onnx().quantize(path, "int8-dynamic", folder / "int8.onnx")
    return path


if __name__ == "__main__":
    command, target = sys.argv[1], Path(sys.argv[2])
    if command == "export":
        export(target)
    else:
        if command == "kill-after":
            kill_after(int(sys.argv[3]))
        elif command == "kill-in-save":
            kill_in_save(int(sys.argv[3]))
        elif command == "threads":
            torch.set_num_threads(int(sys.argv[3]))
        trained, outcome = fit(target)
        sys.stdout.write(f"{weights_hash(trained)} {outcome!r}\n")
