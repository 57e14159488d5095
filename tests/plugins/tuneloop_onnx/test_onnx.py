"""The exported graph answers like the model, for any batch and length, and its bytes depend on the weights alone."""

import hashlib

import numpy as np
import pytest

from tuneloop.api import ExportSpec, PluginError, RunError, Tensor


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    pytest.importorskip("torch")
    return tiny.export(tmp_path_factory.mktemp("export") / "graph")


def session(path):
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def inputs(tiny, batch, length, seed=0):
    random = np.random.default_rng(seed)
    mask = np.ones((batch, length), np.int64)
    mask[0, (length + 1) // 2 :] = 0
    return {"input_ids": random.integers(1, tiny.VOCABULARY, (batch, length)), "attention_mask": mask}


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 16), (2, 3), (7, 13), (32, 32)])
def test_parity_for_all_batches_and_lengths(tiny, exported, batch, length):
    import torch

    feed = inputs(tiny, batch, length)
    logits, embedding = session(exported).run(["logits", "embedding"], feed)
    with torch.no_grad():
        expected = tiny.model()(**{name: torch.from_numpy(array) for name, array in feed.items()})
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-5)
    np.testing.assert_allclose(embedding, expected["embedding"], atol=1e-5)


def test_names_and_axes(exported):
    graph = session(exported)
    assert [(item.name, item.shape) for item in graph.get_inputs()] == [
        ("input_ids", ["batch", "length"]),
        ("attention_mask", ["batch", "length"]),
    ]
    assert [(item.name, item.shape) for item in graph.get_outputs()] == [
        ("logits", ["batch", 3]),
        ("embedding", ["batch", 16]),
    ]


def test_equal_weights_give_equal_bytes_in_another_process_and_folder(tiny, exported, run_tiny, tmp_path):
    other = tmp_path / "a longer folder name"
    done = run_tiny("export", str(other), PYTHONHASHSEED="77")
    assert done.returncode == 0, done.stderr
    for name in ("model.onnx", "int8.onnx"):
        digests = {hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (exported.parent, other)}
        assert len(digests) == 1, name
    assert done.stdout == ""


def test_nothing_of_where_or_how_it_was_made(exported):
    held = exported.read_bytes()
    for trace in (b".py", b"/home", b"/tmp", b"site-packages", b"tiny", b"tuneloop::"):
        assert trace not in held


def test_int8_is_smaller_and_close(tiny, exported):
    small = exported.parent / "int8.onnx"
    assert small.stat().st_size < exported.stat().st_size
    feed = inputs(tiny, 16, 10, seed=3)
    full, quantised = (session(path).run(["embedding"], feed)[0] for path in (exported, small))
    assert np.abs(full - quantised).max() < 0.2
    assert not list(exported.parent.glob("*.partial"))
    import onnx

    operators = {node.op_type for node in onnx.load(small).graph.node}
    assert "MatMulInteger" in operators


def test_embeddings_can_stay_float(tiny, exported, tmp_path):
    from tuneloop_onnx import Onnx

    Onnx(Onnx.Options(quantize_embeddings=False)).quantize(exported, "int8-dynamic", tmp_path / "q.onnx")
    assert (tmp_path / "q.onnx").stat().st_size > (exported.parent / "int8.onnx").stat().st_size


def test_attention_and_mode_are_put_back(tiny, tmp_path):
    from tuneloop_onnx import Onnx

    model = tiny.model().train()
    kind = model.backbone.config._attn_implementation
    assert kind != "eager"
    Onnx().export(model, tiny.export_spec(), tmp_path)
    assert model.training
    assert model.backbone.config._attn_implementation == kind


def test_unknown_mode(exported, tmp_path):
    from tuneloop_onnx import Onnx

    with pytest.raises(PluginError, match=r"'int3'; it knows: int8-dynamic"):
        Onnx().quantize(exported, "int3", tmp_path / "q.onnx")


def test_an_example_of_size_one_is_refused(tiny, tmp_path):
    from tuneloop_onnx import Onnx

    with pytest.raises(RunError, match=r"size 1 on axis 'length'"):
        Onnx().export(tiny.model(), tiny.export_spec(length=1), tmp_path)


def test_a_missing_input_is_named(tiny, tmp_path):
    from tuneloop_onnx import Onnx

    spec = tiny.export_spec()
    with pytest.raises(RunError, match="lacks the input 'attention_mask'; it has: input_ids"):
        Onnx().export(
            tiny.model(), ExportSpec(spec.inputs, spec.outputs, {"input_ids": spec.example["input_ids"]}), tmp_path
        )


def test_a_model_that_fixes_an_axis_is_refused(tmp_path):
    import torch

    from tuneloop_onnx import Onnx

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return {"logits": x.reshape(3, 4) * 2}

    axis = Tensor("x", "float32", ("batch", 4))
    spec = ExportSpec((axis,), (Tensor("logits", "float32", ("batch", 4)),), {"x": np.ones((3, 4), np.float32)})
    with pytest.raises(RunError, match=r"Fixed cannot be exported|came out fixed"):
        Onnx().export(Fixed(), spec, tmp_path)


def test_a_model_that_cannot_be_traced_says_why(tmp_path):
    import torch

    from tuneloop_onnx import Onnx

    class Broken(torch.nn.Module):
        def forward(self, x):
            raise ValueError("no such luck")

    axis = Tensor("x", "float32", ("batch", 4))
    spec = ExportSpec((axis,), (Tensor("logits", "float32", ("batch", 4)),), {"x": np.ones((3, 4), np.float32)})
    with pytest.raises(RunError, match=r"Broken cannot be exported to ONNX: .*no such luck"):
        Onnx().export(Broken(), spec, tmp_path)
