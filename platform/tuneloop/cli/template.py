"""The tuneloop.yaml that `tuneloop init` writes."""

from __future__ import annotations

import json

from tuneloop.cli.guess import Guess
from tuneloop.cli.stocks import TASKS

_SOUNDS = "audio-transcripts"
"""The data source whose rows name files."""


def render(*, name: str, source: str, path: str, guess: Guess, delimiter: str | None = None) -> str:
    """The text of the file: every value a user would want to change, and a word about each."""
    stock = TASKS[guess.task]
    if guess.target is None:
        columns = f"{{{stock.role}: {_scalar(guess.text or '')}}}"
        note = "role: column; `label` would name a column of answers to the texts"
    elif guess.text is not None:
        columns = f"{{{stock.role}: {_scalar(guess.text)}, label: {_scalar(guess.target)}}}"
        note = "role: column"
    else:
        columns = f"{{target: {_scalar(guess.target)}}}"
        note = "inputs: [a, b] would choose; otherwise every other column is one"
    key = f", key: {_scalar(guess.key)}" if guess.key is not None else ""
    file = (
        f"\n  file: {_scalar(guess.key)}\t# the column that names the sound files"
        if source == _SOUNDS and guess.key
        else ""
    )
    if delimiter is not None:
        file += f"\n  delimiter: {json.dumps(delimiter)}"
    return _align(f"""\
# A Tuneloop project. `tuneloop run` tunes, checks and registers a model; `tuneloop serve` serves it.
# Editors complete and check it after `tuneloop schema > tuneloop.schema.json`, with this as a line of its own:
#   # yaml-language-server: $schema=tuneloop.schema.json

name: {name}
task: {guess.task}

data:
  source: {source}
  path: {_scalar(path)}\t# relative to this file{file}
  columns: {columns}\t# {note}
  # Shares that are held back; the golden rows are never trained on, also not in a retraining.
  split: {{validation: 0.1, test: 0.1, golden: 0.1{key}}}

model:\t# or candidates: [{{base: ...}}, ...] and limits: {{latency_ms: 5}}, to choose among several
{stock.model_lines()}

tune:
{stock.tune_lines()}

# search:\t# looks for better options on the validation rows before it tunes
#   trials: 20
#   space: {{tune.learning_rate: {{low: 1.0e-5, high: 1.0e-2, log: true}}, tune.batch_size: [16, 32, 64]}}

evaluate:
  metrics: [{", ".join(stock.metrics)}]\t# the first one counts where one has to

gate:
{stock.gate_lines()}

export:
  format: onnx
  quantize: {{mode: int8-dynamic, max_loss: 0.005}}\t# kept only if no more than this is lost

serve: {{port: 3000, workers: 1, threads: 2}}

monitor: {{window: auto}}\t# drift is looked for in traffic of 10m, 1h, 1d and 7d: the shortest that holds enough

retrain:
  on: [drift, accuracy, concept]\t# [] switches it off
  min_labels: 200
  cooldown: 6h
""")


def _align(text: str) -> str:
    """Put the comments that follow a tab into one column where the values leave room."""
    lines = (line.partition("\t") for line in text.splitlines())
    return "\n".join(f"{code:<52}  {note}" if note else code for code, _, note in lines) + "\n"


def _scalar(text: str) -> str:
    """A text as YAML, in quotes unless it is plainly a name. JSON strings are YAML strings."""
    plain = text.replace("_", "").replace("-", "").replace("/", "").replace(".", "")
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    simple = plain.isascii() and plain.isalnum() and text[0].isalpha() and text.lower() not in words
    return text if simple else json.dumps(text, ensure_ascii=False)
