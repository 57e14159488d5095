"""`export`: the tuned model as a graph, and the smaller variants the project asks for."""

from __future__ import annotations

from typing import Any

from tuneloop.api import Exporter, ExportSpec, RunError, Tensor, TuneloopError
from tuneloop.artifact import MODEL
from tuneloop.pipeline.data.encoded import encode_rows, padded
from tuneloop.pipeline.data.rows import model_rows
from tuneloop.pipeline.evaluating.evaluate import load_outputs
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, options, used

FLOAT = "float32"
_EXAMPLE_ROWS = 3
_SEARCHED_ROWS = 64


def _inputs(scope: Scope) -> dict[str, Any]:
    export = scope.project.export
    return {
        "exporter": [used(scope, "exporter", export.format), options(export.options)],
        "quantize": export.quantize_mode,
    }


def run(context: StepContext) -> dict[str, Any]:
    """Write `float32/model.onnx`, and `<mode>/model.onnx` where a smaller variant is asked for and can be made.

    Raises:
        RunError: The exporter cannot export this model.
    """
    settings = context.project.export
    base = parts.base_model(context)
    exporter: Exporter = context.plugins.create("exporter", settings.format, settings.options)
    if base.framework not in exporter.frameworks:
        raise RunError(
            f"exporter {exporter.name!r} exports models of {', '.join(sorted(exporter.frameworks))}; "
            f"base model {base.name!r} is one of {base.framework!r}"
        )
    spec = _spec(context)
    produced = exporter.export(parts.tuned_model(context), spec, fresh(context.folder / FLOAT))
    if produced.name != MODEL:
        raise RunError(f"exporter {exporter.name!r} wrote {produced.name!r}; it must write {MODEL!r}")
    variants, failed = [FLOAT], ""
    if settings.quantize_mode is not None:
        try:
            exporter.quantize(produced, settings.quantize_mode, fresh(context.folder / settings.quantize_mode) / MODEL)
            variants.append(settings.quantize_mode)
        except TuneloopError:
            raise
        except Exception as error:
            # A variant that cannot be made is no reason to lose the run: the float model is whole.
            failed = f"could not be made: {type(error).__name__}: {error}"
    # A model may be made of several graphs.
    sizes = {
        name: sum(file.stat().st_size for file in (context.folder / name).rglob("*") if file.is_file())
        for name in variants
    }
    return {
        "variants": variants,
        "failed": failed,
        "bytes": sizes,
        "outputs": [[t.name, t.dtype, list(t.shape)] for t in spec.outputs],
        "summary": {f"{name} MB": round(size / 1e6, 3) for name, size in sizes.items()},
    }


def _spec(context: StepContext) -> ExportSpec:
    preprocessor = parts.load_preprocessor(context)
    rows = parts.split_rows(context, "validation")
    sample = model_rows(rows.select(range(min(len(rows), _SEARCHED_ROWS))), parts.columns_of(context, rows))
    # Axes of size 1 would be taken for fixed ones, so few rows are repeated.
    while len(sample) < _EXAMPLE_ROWS:
        sample = sample + sample
    encoded = encode_rows(preprocessor, sample)
    lengths = sorted((group.length, position) for group in encoded for position in group.rows)
    middle = len(lengths) // 2
    chosen = [position for _, position in lengths[middle : middle + _EXAMPLE_ROWS]]
    chosen += [position for _, position in lengths[: _EXAMPLE_ROWS - len(chosen)]]
    outputs = load_outputs(context, "validation")
    # Inputs of one size have outputs of one size.
    grows = any(isinstance(size, str) for tensor in preprocessor.tensors for size in tensor.shape[1:])
    return ExportSpec(
        inputs=preprocessor.tensors,
        outputs=tuple(
            Tensor(
                name,
                "float32",
                ("batch", *(("places",) * (array.ndim - 2) if grows else array.shape[1:-1]), array.shape[-1]),
            )
            for name, array in outputs.items()
        ),
        example=padded(encoded, preprocessor.tensors, chosen),
    )


STEP = Step("export", 1, ("split", "baseline", "tune", "evaluate"), _inputs, run)
