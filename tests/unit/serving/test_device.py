from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tuneloop.api import ArtifactError, ServingError
from tuneloop.artifact import Artifact
from tuneloop.plugins import default_manager
from tuneloop.serving.device import CUDA, on_cuda, open_session, read_device
from tuneloop.serving.loader import VersionRefusedError, load_version
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.versions.examples import answer_each, first_difference, read_examples

Artifacts = Callable[..., Artifact]
BUILT_FOR_CUDA = CUDA in onnxruntime.get_available_providers()


@pytest.fixture(scope="module")
def cuda(artifacts: Artifacts) -> None:
    """Skips where no graph can run on CUDA, with the reason."""
    try:
        open_session(artifacts(1).model, onnxruntime.SessionOptions(), "gpu")
    except ServingError as error:
        pytest.skip(str(error))


def test_what_the_environment_names() -> None:
    assert read_device({}) == "auto"
    assert read_device({}, default="cpu") == "cpu"
    assert read_device({"TUNELOOP_DEVICE": "gpu"}) == "gpu"
    with pytest.raises(ServingError, match="TUNELOOP_DEVICE is 'tpu'; known: auto, cpu, gpu"):
        read_device({"TUNELOOP_DEVICE": "tpu"})


def test_the_cpu_is_used_where_it_is_asked_for(artifacts: Artifacts) -> None:
    session = open_session(artifacts(1).model, onnxruntime.SessionOptions(), "cpu")
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert not on_cuda(session)


@pytest.mark.skipif(BUILT_FOR_CUDA, reason="onnxruntime-gpu is installed")
def test_without_onnxruntime_for_cuda_auto_is_the_cpu_and_gpu_says_what_to_install(artifacts: Artifacts) -> None:
    artifact = artifacts(1)
    assert open_session(artifact.model, onnxruntime.SessionOptions(), "auto").get_providers() == [
        "CPUExecutionProvider"
    ]
    with pytest.raises(ServingError, match=r"'gpu' was asked for.*is for the CPU.*tuneloop\[gpu\]"):
        Predictor.open(artifact, default_manager(), device="gpu")
    with pytest.raises(VersionRefusedError, match="'gpu' was asked for") as caught:
        load_version(artifact.folder, "1", device="gpu")
    assert caught.value.reason == "unloadable"


@pytest.mark.skipif(not BUILT_FOR_CUDA, reason="onnxruntime for the CPU is installed: it has no CUDA to fall back from")
def test_with_onnxruntime_for_cuda_but_no_device_gpu_is_an_error(artifacts: Artifacts) -> None:
    session = open_session(artifacts(1).model, onnxruntime.SessionOptions(), "auto")
    if on_cuda(session):
        pytest.skip("there is a CUDA device")
    with pytest.raises(ServingError, match=r"CUDA did not load; onnxruntime-gpu .* needs an NVIDIA driver"):
        open_session(artifacts(1).model, onnxruntime.SessionOptions(), "gpu")


def test_a_broken_graph_is_no_fault_of_the_device(tmp_path: Any) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match="cannot load"):
        open_session(tmp_path / "model.onnx", onnxruntime.SessionOptions(), "auto")


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_cuda_answers_the_golden_examples_like_the_cpu(artifacts: Artifacts) -> None:
    artifact = artifacts(1)
    loaded = load_version(artifact.folder, "1", device="gpu")
    assert on_cuda(loaded.predictor._session)
    rows, answers = read_examples(artifact.folder)
    assert first_difference(answers, answer_each(loaded.predictor, rows), 1e-3) is None


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_cuda_gives_what_the_cpu_gives_for_any_batch(artifacts: Artifacts) -> None:
    artifact, plugins = artifacts(1), default_manager()
    cpu, gpu = (Predictor.open(artifact, plugins, device=device) for device in ("cpu", "gpu"))
    for rows in (1, 3, 64):
        feed = {"numeric": np.ones((rows, 3), dtype=np.float32), "categorical": np.ones((rows, 1), dtype=np.int64)}
        expected, found = cpu.run(feed), gpu.run(feed)
        assert all(np.allclose(found[name], expected[name], atol=1e-4) for name in expected)
