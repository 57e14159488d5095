"""`tuneloop-text-signals`: installed, and nothing else done, its signals are in reference, Bento and metrics."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXT = """\
name: desk
task: text-classification
data: {source: csv, path: rows.csv, columns: {text: message, label: tone},
  split: {validation: 0.2, test: 0.2, golden: 0.1}}
model: {base: transformers, checkpoint: tiny-bert, max_length: 16}
tune: {strategy: feature-extraction, epochs: 3}
evaluate: {metrics: [accuracy]}
gate: {require: {accuracy: 0.2}}
"""
TABLE = """\
name: shop
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {label: size}, split: {validation: 0.2, test: 0.2, golden: 0.2}}
model: {base: tabular-mlp, hidden: [8]}
tune: {strategy: full, epochs: 1}
gate: {require: {accuracy: 0.1}}
"""
GOOD = ("what a good day this is", "la giornata è molto buona", "so ein schöner guter Tag heute")
BAD = ("what a bad night that was", "la notte è molto brutta", "so eine schlechte böse Nacht heute")
LABELS = ["characters:message", "language:message", "non-letters:message"]


def write_checkpoint(folder: Path) -> None:
    """A random BERT with a handful of words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({word for text in (*GOOD, *BAD) for word in text.split()})]
    plain = Tokenizer(WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    plain.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    inputs = ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=plain, model_max_length=20, model_input_names=inputs, **names
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertModel(
            BertConfig(
                vocab_size=len(words),
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=24,
            )
        ).save_pretrained(folder)


def write_text_project(folder: Path) -> None:
    folder.mkdir()
    write_checkpoint(folder / "tiny-bert")
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["message", "tone"])
        for number in range(240):
            kind = number % 2
            writer.writerow([f"{(GOOD, BAD)[kind][number % 3]} {number}", ("good", "bad")[kind]])
    (folder / "tuneloop.yaml").write_text(TEXT)


def artifact_of(folder: Path) -> Path:
    (found,) = folder.glob(".tuneloop/steps/profile-*/artifact")
    return found


def use_of(artifact: Path, distribution: str) -> dict[str, Any] | None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    return next((use for use in manifest["plugins"] if use["distribution"] == distribution), None)


def observed(metrics: str, signal: str) -> dict[str, float]:
    """Observations of a signal by bin."""
    found: dict[str, float] = {}
    for line in metrics.splitlines():
        if line.startswith("tuneloop_signal_observations_total{") and f'signal="{signal}"' in line:
            (name,) = re.findall(r'bin="([^"]*)"', line)
            found[name] = found.get(name, 0.0) + float(line.rpartition(" ")[2])
    return found


def test_signals_are_in_reference_bento_and_metrics(
    new_stranger: Callable[..., Any], build_wheel: Callable[..., Path], tmp_path: Path, free_port: int
) -> None:
    stranger, folder = new_stranger("tuneloop-text-signals"), tmp_path / "desk"
    write_text_project(folder)
    done = stranger.tuneloop("run", cwd=folder, TUNELOOP_TRACE_PLUGINS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tuneloop_signals  plugin 'text-signals' of tuneloop-text-signals 0.1.0" in done.stderr
    artifact = artifact_of(folder)
    reference = {bins["label"]: bins for bins in json.loads((artifact / "reference.json").read_text())["signals"]}
    assert set(LABELS) <= set(reference)
    assert {"en", "it", "de"} <= set(reference["language:message"]["categories"])
    assert use_of(artifact, "tuneloop-text-signals") == {
        "distribution": "tuneloop-text-signals",
        "version": "0.1.0",
        "names": ["text-signals"],
        "serving": True,
    }
    (bento,) = folder.glob(".tuneloop/bentoml/bentos/desk/1")
    assert list((bento / "src" / "wheels").glob("tuneloop_text_signals-0.1.0-*.whl"))
    assert "py3langid==0.4.0" in (bento / "env" / "python" / "requirements.txt").read_text().split()
    with stranger.served(folder, free_port) as server:
        assert len(server.predict([{"message": GOOD[0]}, {"message": BAD[1]}, {"message": GOOD[2]}])) == 3
        server.wait_for(lambda: sum(observed(server.metrics(), "language:message").values()) == 3)
        metrics = server.metrics()
    assert {name: count for name, count in observed(metrics, "language:message").items() if count} == {
        "en": 1,
        "it": 1,
        "de": 1,
    }
    for label in LABELS:
        assert sum(observed(metrics, label).values()) == 3
    # A model was made with one version of its signals: a server with another must not count by the old bins.
    stranger.install(build_wheel("tuneloop-text-signals", "0.2.0"))
    commands = (
        ("tuneloop.cli.main", "serve", "--port", str(free_port)),
        ("bentoml", "serve", str(bento), "--port", str(free_port)),
    )
    for command in commands:
        refused = stranger.python("-m", *command, cwd=folder, BENTOML_HOME=str(tmp_path), BENTOML_DO_NOT_TRACK="True")
        assert refused.returncode != 0
        assert (
            "the model needs the plugins of tuneloop-text-signals 0.1.0: "
            "version 0.1.0 is asked for and 0.2.0 is installed: pip install 'tuneloop-text-signals==0.1.0'"
        ) in refused.stderr
        assert "Traceback" not in refused.stderr or command[0] == "bentoml"


def test_a_model_without_texts_has_no_use_for_it(signals_stranger: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = (f"{n % 40},{n},{'large' if n % 40 > 19 else 'small'}" for n in range(400))
    (folder / "rows.csv").write_text("\n".join(["weight,number,size", *rows]))
    (folder / "tuneloop.yaml").write_text(TABLE)
    done = signals_stranger.tuneloop("run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert use_of(artifact_of(folder), "tuneloop-text-signals") is None
    assert not list(folder.glob(".tuneloop/bentoml/bentos/shop/1/src/wheels/tuneloop_text_signals*"))


def test_its_own_tests_pass_in_its_environment(signals_stranger: Any, own_tests: Callable[..., None]) -> None:
    own_tests(signals_stranger, "tuneloop-text-signals")
