"""The models that are measured, made by Tuneloop's own pipeline: a small table, and a MiniLM-size encoder twice."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuneloop.artifact import REFERENCE, TRAINING, Artifact, seal
from tuneloop.serving.packaging.bento import bento_folder, build_bento

COLUMNS = 20
MOST_TOKENS = 128
_ROWS, _MESSAGES = 2000, 250
_TABLE = """\
name: table
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {target: kind}, split: {validation: 0.15, test: 0.15, golden: 0.15}}
model: {base: tabular-mlp, hidden: [64, 32]}
tune: {strategy: full, epochs: 5, learning_rate: 5.0e-3}
gate: {require: {accuracy: 0.5}}
export: {format: onnx}
"""
_ENCODER = """\
name: NAME
task: text-classification
data:
  source: jsonl
  path: messages.jsonl
  columns: {text: message, label: language}
  split: {validation: 0.15, test: 0.15, golden: 0.15, key: id}
model: {base: transformers, checkpoint: minilm, max_length: LENGTH}
tune: {strategy: feature-extraction, epochs: 8}
gate: {require: {accuracy: 0.5}}
export: EXPORT
"""


@dataclass(frozen=True)
class Model:
    """A model as its pipeline left it.

    Attributes:
        name: Of its project.
        artifact: The artifact inside its Bento.
        bento: The Bento's folder.
        plain: A Bento of the same artifact without reference, so that no signal is watched.
    """

    name: str
    artifact: Path
    bento: Path
    plain: Path

    @property
    def graph(self) -> Path:
        """The ONNX file that every subject runs."""
        return self.artifact / "model.onnx"


def make_model(name: str, folder: Path) -> Model:
    """The model of that name; trained where `folder` does not hold it yet.

    Args:
        name: `table`, `encoder` or `encoder-int8`.
        folder: Keeps projects between runs of the benchmark.

    Raises:
        subprocess.CalledProcessError: Its pipeline failed; the output was shown.
    """
    project = folder / name
    text, fill = _PROJECTS[name]
    file, bentos = project / "tuneloop.yaml", project / ".tuneloop" / "bentoml" / "bentos" / name
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        fill(project)
        file.write_text(text, encoding="utf-8")
    # An old Bento is built anew: it carries the runtime as a wheel, and that is to be today's.
    _tuneloop(project, "build" if (bentos / "latest").is_file() else "run")
    bento = bentos / (bentos / "latest").read_text(encoding="utf-8").strip()
    artifact = bento / "src" / "artifact"
    return Model(name, artifact, bento, _without_reference(name, artifact, project / "plain"))


def _tuneloop(project: Path, command: str) -> None:
    environment = {**os.environ, "TUNELOOP_PLUGINS_ONLY": ""}
    script = Path(sys.executable).parent / "tuneloop"
    subprocess.run([str(script), command], cwd=project, env=environment, check=True, stdout=sys.stderr)


def _without_reference(name: str, artifact: Path, folder: Path) -> Path:
    copy = folder / "artifact"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(artifact, copy)
    (copy / REFERENCE).unlink()
    manifest = Artifact.open(artifact, skip=(TRAINING,)).manifest
    home = folder / "bentoml"
    return bento_folder(home, build_bento(seal(copy, manifest), "1", home=home))


def _fill_table(folder: Path) -> None:
    chance = random.Random(4)
    names = [f"x{i}" for i in range(COLUMNS)]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*names, "kind"])
        for _ in range(_ROWS):
            row = [round(chance.gauss(0, 1), 4) for _ in names]
            writer.writerow([*row, "high" if sum(row[:5]) + chance.gauss(0, 0.5) > 0 else "low"])


def _fill_encoder(folder: Path) -> None:
    from tuneloop.demo.corpus import KNOWN, read_messages, weights

    messages = read_messages()
    lines = [
        json.dumps({"id": one.id, "message": one.message, "language": one.language})
        for language in KNOWN
        for one in messages[language][:_MESSAGES]
    ]
    (folder / "messages.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "minilm").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(weights() / name, folder / "minilm" / name)


def _encoder(name: str, export: str) -> str:
    return _ENCODER.replace("NAME", name).replace("LENGTH", str(MOST_TOKENS)).replace("EXPORT", export)


_PROJECTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "table": (_TABLE, _fill_table),
    "encoder": (_encoder("encoder", "{format: onnx}"), _fill_encoder),
    "encoder-int8": (
        _encoder("encoder-int8", "{format: onnx, quantize: {mode: int8-dynamic, max_loss: 0.05}}"),
        _fill_encoder,
    ),
}


def checkpoint(folder: Path) -> Path:
    """The pre-trained weights that the encoders of `make_model(..., folder)` were tuned from."""
    return folder / "encoder-int8" / "minilm"
