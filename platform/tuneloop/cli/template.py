"""The tuneloop.yaml that `tuneloop init` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tuneloop.cli.guess import Guess


@dataclass(frozen=True, slots=True)
class Stock:
    """What a task's file says where no data was given."""

    source: str
    target: str
    text: str | None
    key: str | None
    model: str
    tune: str
    metrics: str
    gate: str


ROLES = {
    "text-classification": "text",
    "multi-label-classification": "text",
    "text-regression": "text",
    "token-classification": "tokens",
    "question-answering": "question: question, context",
    "text-generation": "text",
    "image-classification": "image",
    "audio-classification": "audio",
}
"""What the input column of a task is called in `data.columns`."""

TASKS: dict[str, Stock] = {
    "text-classification": Stock(
        source="jsonl",
        target="label",
        text="text",
        key="id",
        model="""\
  base: transformers
  checkpoint: sentence-transformers/all-MiniLM-L6-v2\t# a local folder, or a name on the Hugging Face hub""",
        tune="""\
  strategy: gradual-unfreezing\t# or full, feature-extraction: `tuneloop plugins show tuneloop_strategies`
  epochs: 4
  learning_rate: 3.0e-4
  early_stopping: {metric: macro_f1, patience: 2}""",
        metrics="[macro_f1, accuracy]",
        gate="""\
  require: {macro_f1: 0.8}\t# a version below this is refused
  champion: {metric: macro_f1, margin: 0.01}\t# nor may it be this much worse than what serves now""",
    ),
    "token-classification": Stock(
        source="jsonl",
        target="tags",
        text="tokens",
        key="id",
        model="""\
  base: transformers-tokens
  checkpoint: sentence-transformers/all-MiniLM-L6-v2\t# a local folder, or a name on the Hugging Face hub""",
        tune="""\
  strategy: full
  epochs: 4
  learning_rate: 3.0e-4
  early_stopping: {metric: entity_f1, patience: 2}""",
        metrics="[entity_f1, entity_precision, entity_recall, accuracy]",
        gate="""\
  require: {entity_f1: 0.4}\t# a version below this is refused
  champion: {metric: entity_f1, margin: 0.02}\t# nor may it be this much worse than what serves now""",
    ),
    "multi-label-classification": Stock(
        source="jsonl",
        target="labels",
        text="text",
        key="id",
        model="""\
  base: transformers
  checkpoint: sentence-transformers/all-MiniLM-L6-v2\t# a local folder, or a name on the Hugging Face hub""",
        tune="""\
  strategy: full\t# or gradual-unfreezing, feature-extraction
  epochs: 5
  learning_rate: 3.0e-4
  early_stopping: {metric: label_f1, patience: 2}""",
        metrics="[label_f1, label_macro_f1, subset_accuracy]",
        gate="""\
  require: {label_f1: 0.6}\t# a version below this is refused
  champion: {metric: label_f1, margin: 0.01}\t# nor may it be this much worse than what serves now""",
    ),
    "text-regression": Stock(
        source="jsonl",
        target="score",
        text="text",
        key="id",
        model="""\
  base: transformers
  checkpoint: sentence-transformers/all-MiniLM-L6-v2\t# a local folder, or a name on the Hugging Face hub""",
        tune="""\
  strategy: full\t# or gradual-unfreezing, feature-extraction
  epochs: 4
  learning_rate: 1.0e-4
  early_stopping: {metric: rmse, patience: 2}""",
        metrics="[rmse, mae, r2]",
        gate="""\
  # require: {rmse: 1.0}\t# for an error: a version above this is refused
  champion: {metric: rmse, margin: 0.05}\t# nor may it be this much worse than what serves now""",
    ),
    "question-answering": Stock(
        source="jsonl",
        target="answers",
        text="context",
        key="id",
        model="""\
  base: transformers-spans
  checkpoint: sentence-transformers/all-MiniLM-L6-v2\t# a local folder, or a name on the Hugging Face hub
  max_length: 384\t# tokens of a window; longer contexts are read in several""",
        tune="""\
  strategy: full
  epochs: 3
  learning_rate: 1.0e-4
  early_stopping: {metric: answer_f1, patience: 2}""",
        metrics="[answer_f1, exact_match]",
        gate="""\
  require: {answer_f1: 0.5}\t# a version below this is refused
  champion: {metric: answer_f1, margin: 0.02}\t# nor may it be this much worse than what serves now""",
    ),
    "text-generation": Stock(
        source="jsonl",
        target="completion",
        text="prompt",
        key="id",
        model="""\
  base: causal-lm
  checkpoint: HuggingFaceTB/SmolLM2-135M-Instruct\t# a local folder, or a name on the Hugging Face hub
  max_length: 512\t# tokens of prompt and answer together
  max_tokens: 128\t# generated where a request does not say how many""",
        tune="""\
  strategy: full\t# or lora
  epochs: 2
  learning_rate: 5.0e-5
  batch_size: 8
  early_stopping: {metric: perplexity, patience: 1}""",
        metrics="[perplexity]",
        gate="""\
  # require: {perplexity: 20}\t# a version above this is refused
  champion: {metric: perplexity, margin: 0.1}\t# nor may it be this much worse than what serves now""",
    ),
    "image-classification": Stock(
        source="image-folder",
        target="label",
        text="image",
        key="file",
        model="""\
  base: image-cnn\t# or transformers-image, efficientnet-lite0: pre-trained, from a checkpoint
  size: 64""",
        tune="""\
  strategy: full
  epochs: 20
  learning_rate: 2.0e-3
  augment: {flip: true, rotate: 10, shift: 0.1}\t# of training pictures alone, anew in each epoch
  early_stopping: {metric: macro_f1, patience: 5}""",
        metrics="[macro_f1, accuracy]",
        gate="""\
  require: {macro_f1: 0.8}\t# a version below this is refused
  champion: {metric: macro_f1, margin: 0.01}\t# nor may it be this much worse than what serves now""",
    ),
    "audio-classification": Stock(
        source="audio-folder",
        target="label",
        text="audio",
        key="file",
        model="""\
  base: transformers-audio
  checkpoint: openai/whisper-tiny\t# a local folder with a Whisper model, or a name on the Hugging Face hub
  seconds: 10\t# longer sounds are refused; every sound costs as much as the longest""",
        tune="""\
  strategy: feature-extraction\t# or full, gradual-unfreezing
  epochs: 30
  early_stopping: {metric: macro_f1, patience: 5}""",
        metrics="[macro_f1, accuracy]",
        gate="""\
  require: {macro_f1: 0.8}\t# a version below this is refused
  champion: {metric: macro_f1, margin: 0.01}\t# nor may it be this much worse than what serves now""",
    ),
    "tabular-classification": Stock(
        source="csv",
        target="target",
        text=None,
        key=None,
        model="  base: tabular-mlp",
        tune="""\
  strategy: full
  epochs: 30
  learning_rate: 1.0e-3
  early_stopping: {metric: macro_f1, patience: 5}""",
        metrics="[macro_f1, accuracy]",
        gate="""\
  require: {macro_f1: 0.7}\t# a version below this is refused
  champion: {metric: macro_f1, margin: 0.01}\t# nor may it be this much worse than what serves now""",
    ),
    "tabular-regression": Stock(
        source="csv",
        target="target",
        text=None,
        key=None,
        model="  base: tabular-mlp",
        tune="""\
  strategy: full
  epochs: 30
  learning_rate: 1.0e-3
  early_stopping: {metric: rmse, patience: 5}""",
        metrics="[rmse, mae, r2]",
        gate="""\
  # require: {rmse: 1.0}\t# for an error: a version above this is refused
  champion: {metric: rmse, margin: 0.05}\t# nor may it be this much worse than what serves now""",
    ),
}


def render(*, name: str, source: str, path: str, guess: Guess) -> str:
    """The text of the file: every value a user would want to change, and a word about each."""
    stock = TASKS[guess.task]
    if guess.text is not None:
        columns = f"{{{ROLES[guess.task]}: {_scalar(guess.text)}, label: {_scalar(guess.target)}}}"
        note = "role: column"
    else:
        columns = f"{{target: {_scalar(guess.target)}}}"
        note = "inputs: [a, b] would choose; otherwise every other column is one"
    key = f", key: {_scalar(guess.key)}" if guess.key is not None else ""
    return _align(f"""\
# A Tuneloop project. `tuneloop run` tunes, checks and registers a model; `tuneloop serve` serves it.
# Editors complete and check it after `tuneloop schema > tuneloop.schema.json`, with this as a line of its own:
#   # yaml-language-server: $schema=tuneloop.schema.json

name: {name}
task: {guess.task}

data:
  source: {source}
  path: {_scalar(path)}\t# relative to this file
  columns: {columns}\t# {note}
  # Shares that are held back; the golden rows are never trained on, also not in a retraining.
  split: {{validation: 0.1, test: 0.1, golden: 0.1{key}}}

model:\t# or candidates: [{{base: ...}}, ...] and limits: {{latency_ms: 5}}, to choose among several
{stock.model}

tune:
{stock.tune}

# search:\t# looks for better options on the validation rows before it tunes
#   trials: 20
#   space: {{tune.learning_rate: {{low: 1.0e-5, high: 1.0e-2, log: true}}, tune.batch_size: [16, 32, 64]}}

evaluate:
  metrics: {stock.metrics}\t# the first one counts where one has to

gate:
{stock.gate}

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
