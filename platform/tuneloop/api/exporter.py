"""What the tuned model becomes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tuneloop.api.errors import PluginError
from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Arrays, Tensor


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """What the exported graph must look like.

    Attributes:
        inputs: Graph inputs, in order; texts in `shape` become symbolic axes of that name.
        outputs: Graph outputs, in order.
        example: Real encoded rows, padded to one length, whose symbolic axes all have sizes above 1.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    example: Arrays


class Exporter(Plugin):
    """Turns the tuned model into files that ONNX Runtime can serve.

    ```python
    class LinearOnnx(Exporter):
        'A matrix of weights as one matrix product.'

        name, frameworks = "linear-onnx", frozenset({"numpy"})

        def export(self, model, spec, folder):
            import onnx
            from onnx import helper, numpy_helper

            edges = [helper.make_tensor_value_info(t.name, 1, t.shape) for t in (*spec.inputs, *spec.outputs)]
            node = helper.make_node("MatMul", [edges[0].name, "weights"], [edges[1].name])
            weights = numpy_helper.from_array(model, "weights")
            graph = helper.make_graph([node], "linear", edges[:1], edges[1:], [weights])
            path = folder / "model.onnx"
            onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)
            return path
    ```
    """

    frameworks: ClassVar[frozenset[str]]
    """The frameworks whose models it takes, such as `torch`."""
    quantizations: ClassVar[tuple[str, ...]] = ()
    """The modes `quantize` knows."""

    @abstractmethod
    def export(self, model: Any, spec: ExportSpec, folder: Path) -> Path:
        """Write the graph into the empty folder and give its path. Equal weights give equal bytes.

        Of an `EncoderDecoderModel` the graph is that of the decoder, and that of the encoder is `encoder.onnx` beside
        it; `quantize` then writes both.

        Raises:
            RunError: The model cannot be exported, or a symbolic axis came out fixed.
        """

    def quantize(self, source: Path, mode: str, target: Path) -> None:  # noqa: ARG002
        """Write a smaller variant of the graph at `source` to `target`. The pipeline judges whether it will do."""
        raise PluginError(f"exporter {self.name!r} has no quantisation {mode!r}; it knows: {self.quantizations}")
