"""What torch alone cannot export, the patches of transformers do: with the same names and axes, and equal outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.api import ExportSpec, RunError, Tensor

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def experts(tiny: Any) -> Any:
    """A random mixture of experts, whose products torch has no ONNX form for."""
    from transformers import MixtralConfig, MixtralModel

    from tuneloop_transformers.network import PooledClassifier

    sizes = {"hidden_size": tiny.WIDTH, "intermediate_size": 32, "max_position_embeddings": 64}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "num_local_experts": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        backbone = MixtralModel(MixtralConfig(vocab_size=tiny.VOCABULARY, num_experts_per_tok=2, **sizes, **heads))
        for parameter in backbone.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return PooledClassifier(backbone, tiny.CLASSES, "mean", 0.0).train()


@pytest.fixture(scope="module")
def made(tiny: Any, experts: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The graph, and why torch alone could not make it."""
    from tuneloop_onnx import Onnx, trace

    plain, refused = trace.trace_plain, []

    def watched(*arguments: Any) -> Any:
        try:
            return plain(*arguments)
        except Exception as error:
            refused.append(str(error.__cause__))
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "trace_plain", watched)
        path = Onnx().export(experts, tiny.export_spec(), tmp_path_factory.mktemp("experts"))
    return path, refused


@pytest.fixture
def exported(made: tuple[Path, list[str]]) -> Path:
    return made[0]


def session(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_torch_alone_cannot_export_it(made: tuple[Path, list[str]], experts: Any) -> None:
    [reason] = made[1]
    assert "grouped_mm_fallback" in reason
    assert experts.training


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (2, 3), (7, 13)])
def test_its_outputs_are_equal_for_all_batches_and_lengths(
    tiny: Any, experts: Any, exported: Path, batch: int, length: int
) -> None:
    random = np.random.default_rng(batch)
    mask = np.ones((batch, length), np.int64)
    mask[0, (length + 1) // 2 :] = 0
    feed = {"input_ids": random.integers(1, tiny.VOCABULARY, (batch, length)), "attention_mask": mask}
    found = session(exported).run(["logits", "embedding"], feed)
    with torch.no_grad():
        expected = experts(**{name: torch.from_numpy(array) for name, array in feed.items()})
    np.testing.assert_allclose(found[0], expected["logits"], atol=1e-5)
    np.testing.assert_allclose(found[1], expected["embedding"], atol=1e-5)


def test_names_and_axes_are_those_of_the_first_route(exported: Path) -> None:
    graph = session(exported)
    assert [(item.name, item.shape) for item in graph.get_inputs()] == [
        ("input_ids", ["batch", "length"]),
        ("attention_mask", ["batch", "length"]),
    ]
    assert [(item.name, item.shape) for item in graph.get_outputs()] == [
        ("logits", ["batch", 3]),
        ("embedding", ["batch", 16]),
    ]
    held = exported.read_bytes()
    for trace in (b".py", b"site-packages", b"tuneloop::"):
        assert trace not in held


class Counting(torch.nn.Module):
    """Counts numbers up to the largest of them: torch has no ONNX form for that either."""

    def forward(self, x: Any) -> dict[str, Any]:
        return {"logits": torch.bincount(x.reshape(-1), minlength=4)[x].float()}


class Guessing(torch.nn.Module):
    """Does one thing or another, as a number says."""

    def forward(self, x: Any) -> dict[str, Any]:
        return {"logits": x.float() if x.sum().item() > 3 else x.float() * 2}


def counts() -> ExportSpec:
    shape = ("batch", "length")
    return ExportSpec(
        (Tensor("use_cache", "int64", shape),),
        (Tensor("logits", "float32", shape),),
        {"use_cache": np.arange(6).reshape(2, 3) % 4},
    )


def test_names_that_mean_something_to_transformers_are_only_names(tmp_path: Path, capfd: Any) -> None:
    from tuneloop_onnx import Onnx

    class Renamed(Counting):
        def forward(self, use_cache: Any) -> dict[str, Any]:
            return super().forward(use_cache)

    path = Onnx().export(Renamed(), counts(), tmp_path)
    assert capfd.readouterr().out == ""
    rows = np.array([[3, 3, 0, 1]])
    assert session(path).run(None, {"use_cache": rows})[0].tolist() == [[2.0, 2.0, 1.0, 1.0]]


def test_what_neither_can_export_is_refused_with_both_reasons(tmp_path: Path) -> None:
    from tuneloop_onnx import Onnx

    spec = counts()
    tensor = Tensor("x", "int64", spec.inputs[0].shape)
    before = torch.where, torch.Tensor.view, torch.nn.functional.scaled_dot_product_attention
    with pytest.raises(
        RunError,
        match=r"Guessing cannot be exported to ONNX: \w+: .+; nor with the patches of transformers: \w+: .+",
    ):
        Onnx().export(Guessing(), ExportSpec((tensor,), spec.outputs, {"x": spec.example["use_cache"]}), tmp_path)
    assert before == (torch.where, torch.Tensor.view, torch.nn.functional.scaled_dot_product_attention)
