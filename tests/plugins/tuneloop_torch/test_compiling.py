"""A compiled training is the same training."""

import pytest

from tuneloop.api import PluginError

torch = pytest.importorskip("torch")


def losses(folder, **options):
    from tuneloop.api.testing.tiny_torch import tiny_data, tiny_model
    from tuneloop_torch import Full

    strategy = Full(Full.Options(epochs=2, learning_rate=1e-2, batch_size=16, **options))
    model = tiny_model()
    result = strategy.fit(model, tiny_data(), folder, 5, lambda record: None)
    names = list(model.state_dict())
    return names, [record["loss"] for record in result.history]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_steps_are_those_of_the_plain_model(tmp_path):
    names, plain = losses(tmp_path / "plain")
    # The last batch has another size: compiled code must not have frozen that of the first.
    compiled_names, compiled = losses(tmp_path / "compiled", compile=True)
    assert compiled == pytest.approx(plain, abs=1e-5)
    assert compiled_names == names
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1


@pytest.mark.parametrize("named", [None, "no-such-compiler"])
def test_without_a_compiler_training_does_not_begin(tmp_path, monkeypatch, named):
    monkeypatch.setenv("PATH", str(tmp_path))
    if named is None:
        monkeypatch.delenv("CXX", raising=False)
    else:
        monkeypatch.setenv("CXX", named)
    if torch.cuda.is_available():
        pytest.skip("with a GPU no C++ compiler is needed")
    with pytest.raises(PluginError, match=r"tune\.compile needs a C\+\+ compiler"):
        losses(tmp_path / "run", compile=True)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_and_in_bfloat16_on_a_gpu(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device; this machine has none")
    _, plain = losses(tmp_path / "plain")
    _, fast = losses(tmp_path / "fast", compile=True, precision="bfloat16")
    assert fast == pytest.approx(plain, abs=2e-2)
