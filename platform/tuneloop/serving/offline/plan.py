"""From a job to what is read, what is written, and what the bytes of the output depend on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from tuneloop.serving.loader import Loaded
from tuneloop.serving.offline.formats import delimiter_of, format_of, is_packed
from tuneloop.serving.offline.inputs import Inputs
from tuneloop.serving.offline.job import BatchJob
from tuneloop.serving.offline.layout import Layout, answer_fields
from tuneloop.serving.offline.places import find_places
from tuneloop.serving.offline.write import CsvWriter, JsonlWriter, Writer
from tuneloop.serving.offline.write_parquet import ParquetWriter
from tuneloop.serving.versions.examples import read_examples


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read and written. `identity`: all that the output depends on, by names that a person understands."""

    inputs: Inputs
    layout: Layout
    writer: Writer
    identity: dict[str, Any]


def make_plan(loaded: Loaded, job: BatchJob) -> Plan:
    """The plan of a job; the first input decides which columns there are.

    Raises:
        DataError: There is no input, it lacks a column, or a name does not say which format it has.
        MissingExtraError: Parquet is read or written without pyarrow.
    """
    output_format = format_of(job.output, job.output_format, "--output-format")
    packed = is_packed(job.output)
    columns = loaded.predictor.preprocessor.columns
    inputs = Inputs(find_places(job.inputs), columns, job.keep, job.input_format, job.delimiter)
    _, golden = read_examples(loaded.artifact.folder)
    fields = answer_fields(golden, loaded.predictor.task.AnswerModel.model_fields)
    with inputs.open(inputs.places[0]) as first:
        inputs.check(inputs.places[0], first)
        kept = first.columns if job.keep is None else job.keep
        layout = Layout(kept, fields, job.prefix, closed=job.keep is None)
        writer: Writer
        if output_format == "parquet":
            writer = ParquetWriter(layout, first)
        elif output_format == "csv":
            writer = CsvWriter(layout.names, packed=packed, delimiter=delimiter_of(job.output, None))
        else:
            writer = JsonlWriter(layout.names, packed=packed)
    identity = {
        "model": loaded.artifact.sha256,
        "inputs": [[place.name, place.size, place.content] for place in inputs.places],
        "input_format": [job.input_format, job.delimiter],
        "output_format": [output_format, packed],
        "output_columns": list(layout.names),
        "batch_size": job.batch_rows,
        "window": job.window_rows,
        "device": loaded.predictor.device,
        "software": _software(output_format),
    }
    return Plan(replace(inputs, kept=kept), layout, writer, identity)


def _software(output_format: str) -> list[str]:
    import onnxruntime

    names = ("tuneloop", "numpy", *(("pyarrow",) if output_format == "parquet" else ()))
    return [*(f"{name} {version(name)}" for name in names), f"onnxruntime {onnxruntime.__version__}"]
