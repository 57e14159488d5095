"""Exporter `sklearn-onnx`."""

from __future__ import annotations

from pathlib import Path

from tuneloop.api import Exporter, ExportSpec, PluginError
from tuneloop_sklearn.model import TableModel


class SklearnOnnx(Exporter):
    """One ONNX file of a fitted estimator, whose bytes depend on the estimator alone."""

    name = "sklearn-onnx"
    frameworks = frozenset({"sklearn"})

    def export(self, model: TableModel, spec: ExportSpec, folder: Path) -> Path:
        """Write `model.onnx`.

        Raises:
            RunError: skl2onnx cannot convert the estimator.
        """
        try:
            from tuneloop_sklearn.graph import make_graph
        except ImportError as error:
            raise PluginError(
                f"exporter {self.name!r} needs the Python package {error.name!r}, which is not installed. "
                "Install it with: pip install tuneloop-sklearn"
            ) from error
        target = folder / "model.onnx"
        target.write_bytes(make_graph(model, spec).SerializeToString(deterministic=True))
        return target
