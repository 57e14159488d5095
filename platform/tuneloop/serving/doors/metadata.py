"""What the raw door says about the model: its metadata in the Open Inference Protocol v2, and Triton's configuration.

Both describe the model's tensors as inputs and outputs. The other way in, columns, is an extension of this server:
it is described under `parameters`, where a client that does not know it looks past it.
"""

from __future__ import annotations

from typing import Any

from tuneloop.api import Tensor
from tuneloop.serving.doors.answer_tensors import answer_tensors
from tuneloop.serving.doors.body import MOST_ROWS
from tuneloop.serving.doors.tensors import DATATYPES
from tuneloop.serving.loader import Loaded

PLATFORM = "onnxruntime_onnx"
COLUMN_TYPES = {
    "text": "BYTES",
    "category": "BYTES",
    "number": "FP64",
    "words": "BYTES",
    "audio": "BYTES",
    "image": "BYTES",
    "prompt": "BYTES",
}


def model_metadata(loaded: Loaded) -> dict[str, Any]:
    """`GET /v2/models/NAME`: tensors in and out; under `parameters` the columns, and the tensors that answer them."""
    manifest = loaded.artifact.manifest
    task = loaded.predictor.task
    return {
        "name": manifest.model,
        "versions": [loaded.version],
        "platform": PLATFORM,
        "inputs": [_tensor(tensor) for tensor in manifest.signature.inputs],
        "outputs": [_tensor(tensor) for tensor in manifest.signature.outputs],
        "parameters": {
            "task": manifest.task.name,
            "columns": [
                {"name": column.name, "datatype": COLUMN_TYPES[column.kind], "shape": [-1]}
                for column in manifest.signature.columns
            ],
            "answers": [one.metadata(task.output_names) for one in answer_tensors(task.AnswerModel)],
        },
    }


def model_config(loaded: Loaded) -> dict[str, Any]:
    """`GET /v2/models/NAME/config`: the part of Triton's model configuration that its clients read.

    Source: the model configuration extension of the Triton Inference Server. Sizes leave out the batch axis.
    """
    manifest = loaded.artifact.manifest
    return {
        "name": manifest.model,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": MOST_ROWS,
        "input": [_field(tensor) for tensor in manifest.signature.inputs],
        "output": [_field(tensor) for tensor in manifest.signature.outputs],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": _sizes(tensor)}


def _field(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "data_type": f"TYPE_{DATATYPES[tensor.dtype]}", "dims": _sizes(tensor)[1:]}


def _sizes(tensor: Tensor) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in tensor.shape]
