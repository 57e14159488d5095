"""The demo's project folder: what a user would have written by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tuneloop.api import TuneloopError
from tuneloop.artifact import write_atomic
from tuneloop.demo.corpus import KNOWN, NEW, Message, read_messages, weights

_USUAL_SHARE, _PROBE_SHARE = 0.10, 0.08
_ARRIVING_SHARE = 0.65
_FILE = "tuneloop.yaml"
_YAML = """\
# A message desk: which language is this message written in?
name: language-desk
task: text-classification

data:
  source: jsonl
  path: data/messages.jsonl
  columns: {{text: message, label: language}}
  # Shares of the rows, by a hash of `id`. The golden holdout never enters training, also not in retraining.
  split: {{validation: 0.1, test: 0.1, golden: 0.1, key: id}}

model:
  base: transformers
  checkpoint: models/minilm # all-MiniLM-L6-v2
  max_length: 64

tune:
  strategy: gradual-unfreezing
{tune}evaluate: {{metrics: [macro_f1, accuracy]}}

# A challenger must reach this on the golden holdout, and may not be worse than the champion by more than the margin.
gate:
  require: {{macro_f1: 0.90}}
  champion: {{metric: macro_f1, margin: 0.02}}

export: {{format: onnx, quantize: {{mode: int8-dynamic, max_loss: 0.01}}}}

serve: {{port: {serve_port}, workers: 1, threads: 1}}

# A short window, so that the demo need not wait; an hour or a day is usual.
monitor: {{window: 30s, min_rows: 200, min_labels: 200}}

retrain: {{on: [drift, accuracy], min_labels: {min_labels}, cooldown: 6h, port: {loop_port}}}

# How long the new version is compared with the one before, and rolled back where it is worse; half an hour is usual.
# Server, loop, training and traffic share this machine, with whatever else it does: latency says little here, and 2
# is usual elsewhere.
rollout: {{watch: {{for: 10s}}, limits: {{latency_ratio: 20}}}}
"""
_TUNE = """\
  epochs: 4
  layers_per_epoch: 3
  learning_rate: 2.0e-4
  # A message of two words may be in several languages: targets a little below certain make retraining steadier.
  label_smoothing: 0.1
  precision: auto
  early_stopping: {metric: macro_f1, patience: 2}

"""


@dataclass(frozen=True, slots=True)
class DemoData:
    """The messages that are not in the project's data, because they have not been written yet.

    Attributes:
        usual: Messages in the known languages; their labels come late.
        arriving: Messages in the new languages; their labels come late, and are learned from.
        probe_known: Messages in the known languages whose labels never reach the server: what both versions are
            compared by.
        probe_new: The same in the new languages.
    """

    usual: tuple[Message, ...]
    arriving: tuple[Message, ...]
    probe_known: tuple[Message, ...]
    probe_new: tuple[Message, ...]


def free_folder(wanted: Path) -> Path:
    """The wanted folder, or one with a number behind its name where a demo was played already.

    A second demo in one folder would meet the first one's champion, labels and cooldown.
    """
    number, folder = 1, wanted
    while (folder / ".tuneloop").exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def write_project(folder: Path, *, serve_port: int, loop_port: int) -> DemoData:
    """Write `tuneloop.yaml`, `data/messages.jsonl` and `models/minilm` into the folder.

    Raises:
        TuneloopError: The folder holds another project.
    """
    file = folder / _FILE
    if file.exists() and "name: language-desk" not in file.read_text(encoding="utf-8"):
        raise TuneloopError(f"{file} is another project; choose another folder: tuneloop demo --folder NAME")
    known, data = divide(read_messages())
    write_lines(folder / "data" / "messages.jsonl", known)
    for name in ("usual", "arriving", "probe_known", "probe_new"):
        write_lines(folder / "data" / f"{name}.jsonl", getattr(data, name))
    source, checkpoint = weights(), folder / "models" / "minilm"
    checkpoint.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, checkpoint / name)
    text = _YAML.format(
        tune=_TUNE, serve_port=serve_port, loop_port=loop_port, min_labels=int(0.9 * len(data.arriving))
    )
    write_atomic(file, text.encode())
    return data


def divide(messages: dict[str, list[Message]]) -> tuple[list[Message], DemoData]:
    """The messages the project starts with, and those that come later; no message is in two parts."""
    start: list[Message] = []
    usual: list[Message] = []
    arriving: list[Message] = []
    probe_known: list[Message] = []
    probe_new: list[Message] = []
    for language in KNOWN:
        first = int(len(messages[language]) * _USUAL_SHARE)
        second = first + int(len(messages[language]) * _PROBE_SHARE)
        usual += messages[language][:first]
        probe_known += messages[language][first:second]
        start += messages[language][second:]
    for language in NEW:
        cut = int(len(messages[language]) * _ARRIVING_SHARE)
        arriving += messages[language][:cut]
        probe_new += messages[language][cut:]
    parts = [tuple(sorted(part, key=lambda message: message.id)) for part in (usual, arriving, probe_known, probe_new)]
    return sorted(start, key=lambda message: message.id), DemoData(*parts)


def write_lines(path: Path, messages: Sequence[Message]) -> None:
    """Messages as JSON lines."""
    lines = [json.dumps(asdict(message), ensure_ascii=False) for message in messages]
    write_atomic(path, ("\n".join(lines) + "\n").encode())
