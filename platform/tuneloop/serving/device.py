"""Where a graph runs: the CPU, or one CUDA device through onnxruntime-gpu."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

from tuneloop.api import ArtifactError, MissingExtraError, ServingError

logger = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "gpu"]
"""`auto`: a CUDA device where there is one that works, else the CPU. `gpu`: a CUDA device, or an error."""

VARIABLE = "TUNELOOP_DEVICE"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# Golden examples were answered by a CPU: TensorFloat-32 would change them beyond their tolerance.
_CUDA_OPTIONS = {"use_tf32": "0"}


def read_device(environment: Mapping[str, str] = os.environ, default: Device = "auto") -> Device:
    """The device that `TUNELOOP_DEVICE` names.

    Raises:
        ServingError: It names none that is known.
    """
    value = environment.get(VARIABLE) or default
    if value not in get_args(Device):
        raise ServingError(f"{VARIABLE} is {value!r}; known: {', '.join(get_args(Device))}")
    return cast("Device", value)


def open_session(model: Path, options: Any, device: Device) -> Any:
    """An `onnxruntime.InferenceSession` on a device.

    Args:
        model: The ONNX file.
        options: `onnxruntime.SessionOptions`.
        device: Where it runs.

    Raises:
        ArtifactError: ONNX Runtime cannot load the graph.
        ServingError: `gpu` was asked for, and there is no CUDA device that works; says what is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("the predictor", "onnxruntime", "cpu") from error
    there = CUDA in onnxruntime.get_available_providers()
    if device == "gpu" and not there:
        raise ServingError(
            f"the device 'gpu' was asked for, but the onnxruntime {onnxruntime.__version__} installed here is for "
            "the CPU: pip uninstall onnxruntime, then pip install 'tuneloop[gpu]'; or choose the device 'cpu'"
        )
    wanted = device != "cpu" and there
    said = _preload(onnxruntime) if wanted else ""
    printed = io.StringIO()
    # An explicit list: without one, onnxruntime-gpu complains on machines that have no CUDA device.
    providers = [(CUDA, _CUDA_OPTIONS), CPU] if wanted else [CPU]
    try:
        # ONNX Runtime falls back to the CPU with a print of its own.
        with contextlib.redirect_stdout(printed) if wanted else contextlib.nullcontext():
            session = onnxruntime.InferenceSession(str(model), options, providers=providers)
    except Exception as error:
        raise ArtifactError(f"ONNX Runtime {onnxruntime.__version__} cannot load {model}: {error}") from error
    if wanted and not on_cuda(session):
        reason = " ".join(f"{printed.getvalue()} {said}".split())[-600:] or "ONNX Runtime gives no reason"
        if device == "gpu":
            raise ServingError(
                f"the device 'gpu' was asked for, but CUDA did not load; onnxruntime-gpu {onnxruntime.__version__} "
                f"needs an NVIDIA driver, CUDA {getattr(onnxruntime, 'cuda_version', '') or '13'} and cuDNN 9: {reason}"
            )
        logger.warning("CUDA did not load, so the CPU answers: %s", reason)
    return session


def on_cuda(session: Any) -> bool:
    """Whether a session runs on CUDA: what it uses, not what its package was built with."""
    return CUDA in session.get_providers()


def _preload(onnxruntime: Any) -> str:
    """Load CUDA's libraries from pip's packages, where they are; what could not be loaded, in words."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        onnxruntime.preload_dlls()
    return printed.getvalue()
