"""Dynamic 8-bit quantisation with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.api import RunError
from tuneloop_onnx.write import clean

_SKIP_ADVICE = ("onnx.quant.pre_process", "onnxruntime.quant")
"""What ONNX Runtime's preprocessing leaves behind; without it the quantiser advises that (here harmful) fusion."""


def quantize_dynamic(source: Path, target: Path, *, embeddings: bool) -> None:
    """Quantise weights of matrix products, and with `embeddings` lookup tables, to int8.

    Raises:
        RunError: ONNX Runtime cannot quantise the graph.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    model = onnx.load(source)
    # Shapes noted for weights contradict the transposed 8-bit ones that replace them.
    clean(model)
    note = model.metadata_props.add()
    note.key, note.value = _SKIP_ADVICE
    partial = target.with_suffix(".partial")
    try:
        quantize(
            model,
            partial,
            op_types_to_quantize=["MatMul", "Gather"] if embeddings else ["MatMul"],
            per_channel=False,
            weight_type=QuantType.QInt8,
        )
        _write(onnx.load(partial), target)
    except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        raise RunError(f"{source.name} cannot be quantised: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write(model: Any, target: Path) -> None:
    import onnx

    clean(model)
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))
