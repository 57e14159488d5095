"""The predictor: checked rows to answers through ONNX Runtime; the same for verification, online and batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from tuneloop.api import (
    Answer,
    Arrays,
    Encoded,
    MissingExtraError,
    Preprocessor,
    Row,
    Task,
    scatter,
)
from tuneloop.artifact import PREPROCESSOR, Artifact
from tuneloop.preprocessing.changing import ChangingPreprocessor
from tuneloop.serving.binding import BoundGraph
from tuneloop.serving.device import Device, on_cuda, open_session
from tuneloop.tasks.temperature import decides_apart, tempered

if TYPE_CHECKING:
    from tuneloop.plugins import PluginManager


def value_count(inputs: Arrays) -> int:
    """How many values all inputs hold together, at least 1: what a call costs is about proportional to it."""
    return max(1, sum(array.size for array in inputs.values()))


def session_options(threads: int) -> Any:
    """`onnxruntime.SessionOptions` of a session whose calls use so many threads.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("the predictor", "onnxruntime", "cpu") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads hold a core while they wait: on a shared machine that costs more than it gains.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return options


@dataclass(frozen=True, slots=True)
class Prediction:
    """One call's rows (checked), their encoding, the model's outputs in row order, and the answers."""

    rows: Sequence[Row]
    encoded: Sequence[Encoded]
    outputs: Arrays
    answers: list[Answer]


class Predictor:
    """A loaded model. Thread-safe: ONNX Runtime sessions may be shared between threads."""

    def __init__(
        self,
        model: Path,
        task: Task,
        preprocessor: Preprocessor,
        *,
        threads: int = 1,
        device: Device = "cpu",
        temperature: float = 1.0,
    ) -> None:
        """Load the graph.

        Args:
            model: The ONNX file.
            task: Makes answers from outputs.
            preprocessor: Makes inputs from rows.
            threads: Threads inside one call (ONNX Runtime's `intra_op`).
            device: Where it runs.
            temperature: By what its logits are divided.

        Raises:
            ArtifactError: ONNX Runtime cannot load the graph.
            ServingError: The device is not there.
        """
        self._session = open_session(model, session_options(threads), device)
        self.task, self.preprocessor, self.temperature = task, preprocessor, temperature
        self._apart = decides_apart(task)
        self.input_names = tuple(item.name for item in self._session.get_inputs())
        self.output_names = tuple(item.name for item in self._session.get_outputs())
        self._bound = BoundGraph(self._session, self.output_names) if on_cuda(self._session) else None

    @classmethod
    def open(
        cls,
        artifact: Artifact,
        plugins: PluginManager,
        *,
        threads: int = 1,
        device: Device = "cpu",
    ) -> Self:
        """The predictor of an artifact, with the task and the preprocessor its manifest names."""
        manifest = artifact.manifest
        task = plugins.get("task", manifest.task.name).from_state(manifest.task.state)
        preprocessor = plugins.get("preprocessor", manifest.preprocessor).load(artifact.folder / PREPROCESSOR)
        if manifest.transforms:
            changes = [plugins.create("transform", part.name, part.state) for part in manifest.transforms]
            preprocessor = ChangingPreprocessor(preprocessor, changes)
        temperature = manifest.temperature.value if manifest.temperature else 1.0
        if task.loss == "likelihood":
            from tuneloop.serving.generating.predictor import open_predictor

            writing = open_predictor(artifact.model, task, preprocessor, threads=threads, device=device)
            return cast("Self", writing)
        return cls(artifact.model, task, preprocessor, threads=threads, device=device, temperature=temperature)

    @property
    def device(self) -> Device:
        """Where it runs: `cpu` or `gpu`."""
        return "cpu" if self._bound is None else "gpu"

    def run(self, inputs: Arrays) -> Arrays:
        """One call of the graph: named inputs to named outputs, first axis the batch; `logits` by the temperature."""
        feed = {name: inputs[name] for name in self.input_names}
        if self._bound is not None:
            return tempered(self._bound.run(feed), self.temperature, apart=self._apart)
        found = dict(zip(self.output_names, self._session.run(None, feed), strict=True))
        return tempered(found, self.temperature, apart=self._apart)

    def outputs(self, encoded: Sequence[Encoded], rows: int) -> Arrays:
        """Run every group and put the outputs back into row order."""
        if len(encoded) == 1 and len(encoded[0].rows) == rows:
            return self.run(encoded[0].inputs)
        return scatter([(group.rows, self.run(group.inputs)) for group in encoded], rows)

    def predict(self, rows: Sequence[Row]) -> Prediction:
        """Check, encode, run and answer.

        Raises:
            RequestError: A row is refused; names row and field.
        """
        checked = self.preprocessor.check(rows)
        encoded = self.preprocessor.encode(checked)
        outputs = self.outputs(encoded, len(checked))
        return Prediction(checked, encoded, outputs, self.task.answers_to(checked, outputs))
