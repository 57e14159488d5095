"""What each strategy changes, and when."""

import numpy as np
import pytest

from tuneloop.api import PluginError, RunError, TrainingData


def changed(before, model):
    import torch

    return {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_full_changes_every_group_and_learns(tiny, tmp_path):
    from tuneloop_torch import Full

    model, seen = tiny.model(), []
    before = snapshot(model)
    options = Full.Options(epochs=6, learning_rate=3e-3, batch_size=16)
    result = Full(options).fit(model, tiny.data(), tmp_path, 0, seen.append)
    touched = changed(before, model)
    assert all(set(group) & touched for group in model.layer_groups())
    assert tuple(seen) == result.history
    assert [record["epoch"] for record in seen] == [1, 2, 3, 4, 5, 6]
    assert set(seen[0]) == {"epoch", "loss", "validation_loss", "accuracy"}
    assert seen[-1]["loss"] < seen[0]["loss"]
    best = max(record["accuracy"] for record in seen)
    assert best > 0.6
    kept = next(record for record in seen if record["epoch"] == result.best_epoch)
    assert kept["accuracy"] == best
    assert not model.training


def test_best_epoch_is_the_one_in_the_model(tiny, tmp_path):
    from tuneloop_torch import Full

    model, data = tiny.model(), tiny.data()
    result = Full(Full.Options(epochs=5, learning_rate=1e-2, batch_size=16)).fit(
        model, data, tmp_path, 1, lambda _: None
    )
    best = next(record for record in result.history if record["epoch"] == result.best_epoch)
    assert tiny.metric(logits(model, data.validation, tiny), np.array(data.validation["labels"])) == {
        "accuracy": best["accuracy"]
    }


def logits(model, rows, tiny):
    import torch

    from tuneloop_torch.inference import gather, run_batches
    from tuneloop_torch.rows import read_rows

    read = read_rows(rows, tiny.TENSORS)
    calls = run_batches(lambda **inputs: model(**inputs)["logits"], read, tiny.TENSORS, 7, torch.device("cpu"))
    return gather(calls, len(read))


def test_feature_extraction_runs_the_backbone_once_over_each_row(tiny, tmp_path):
    from tuneloop_torch import FeatureExtraction

    model, data = tiny.model(), tiny.data()
    before, counted = snapshot(model), []
    original = model.features
    model.features = lambda **inputs: (counted.append(len(inputs["input_ids"])), original(**inputs))[1]
    strategy = FeatureExtraction(FeatureExtraction.Options(epochs=4, batch_size=16))
    strategy.fit(model, data, tmp_path, 0, lambda _: None)
    assert sum(counted) == len(data.train) + len(data.validation)
    assert changed(before, model) == {"head.1.weight", "head.1.bias"}
    strategy.fit(tiny.model(), data, tmp_path, 0, lambda _: None)
    assert sum(counted) == len(data.train) + len(data.validation)


def test_feature_extraction_gives_the_head_its_gradient_and_the_backbone_none(tiny, first_step):
    import torch

    from tuneloop_torch import FeatureExtraction

    model, tracked = tiny.model(dropout=0.0), []
    original = model.features

    def features(**inputs):
        found = original(**inputs)
        tracked.append((torch.is_grad_enabled(), found.requires_grad, model.training))
        return found

    model.features = features
    whole = {"batch_size": 96, "label_smoothing": 0.1}
    alone, everything = first_step(FeatureExtraction, model=model, **whole), first_step(**whole)
    assert set(tracked) == {(False, False, False)}, "no gradient is computed below the head, where no dropout falls"
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {"head.1.weight", "head.1.bias"}
    assert set(alone["rates"]) == set(alone["gradients"]) == {"head.1.weight", "head.1.bias"}
    for name, gradient in alone["gradients"].items():
        assert gradient.any()
        torch.testing.assert_close(gradient, everything["gradients"][name], rtol=0, atol=1e-5)


def test_cached_features_equal_recomputed_ones_and_survive_a_half_written_file(tiny, tmp_path):
    import torch

    from tuneloop_torch.features import FEATURES, cached_features, compute_features
    from tuneloop_torch.rows import read_rows

    model, rows = tiny.model(), read_rows(tiny.rows(30, 3), tiny.TENSORS)
    path = tmp_path / "train.npy"
    path.with_suffix(".partial").write_bytes(b"half")
    first = cached_features(model, rows, tiny.TENSORS, 8, path)
    assert sorted(tmp_path.iterdir()) == [path]
    assert isinstance(first.columns[FEATURES], np.memmap)
    np.testing.assert_array_equal(first.columns[FEATURES], compute_features(model, rows, tiny.TENSORS, 8))
    one = {name: torch.tensor(np.stack([rows.columns[name][4]])) for name in ("input_ids", "attention_mask")}
    np.testing.assert_allclose(first.columns[FEATURES][4], model.features(**one)[0].detach(), atol=1e-5)
    stamp = path.stat().st_mtime_ns
    cached_features(model, rows, tiny.TENSORS, 8, path)
    assert path.stat().st_mtime_ns == stamp


def test_strategy_features_are_in_row_order(tiny):
    from tuneloop_torch import Full

    rows = tiny.rows(12, 4)
    model = tiny.model()
    all_at_once = Full().features(model, rows, tiny.TENSORS)
    assert all_at_once.shape == (12, tiny.WIDTH)
    alone = Full().features(model, rows.select([5]), tiny.TENSORS)
    np.testing.assert_allclose(all_at_once[5], alone[0], atol=1e-5)


def test_gradual_unfreezing_thaws_from_the_top_and_frozen_layers_get_no_gradient(tiny, tmp_path, monkeypatch):
    from tuneloop_torch import GradualUnfreezing
    from tuneloop_torch.loop import Loop

    model = tiny.model(layers=3)
    groups = model.layer_groups()
    assert len(groups) == 5
    last, moved, gradients = snapshot(model), [], []
    original = Loop.training_step

    def step(self, module, *rest):
        loss = original(self, module, *rest)
        if hasattr(module, "layer_groups"):
            gradients.append({name for name, p in module.named_parameters() if p.grad is not None})
        return loss

    monkeypatch.setattr(Loop, "training_step", step)

    def progress(record):
        nonlocal last
        if record["epoch"] > 2:
            touched = changed(last, model)
            moved.append([bool(set(group) & touched) for group in groups])
        last = snapshot(model)

    options = GradualUnfreezing.Options(epochs=3, head_epochs=2, learning_rate=1e-3, batch_size=16)
    GradualUnfreezing(options).fit(model, tiny.data(), tmp_path, 0, progress)
    assert moved == [
        [True, True, False, False, False],
        [True, True, True, False, False],
        [True, True, True, True, False],
    ]
    assert gradients[0] == {*groups[0], *groups[1]}
    assert not gradients[-1] & set(groups[4])
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, [2, 4, 6]),
        ({"layers_per_epoch": 1}, [1, 2, 3]),
        ({"max_layers": 3}, [1, 2, 3]),
        ({"layers_per_epoch": 6, "embeddings": True}, [7, 7, 7]),
        ({"max_layers": 0}, [0, 0, 0]),
    ],
)
def test_thaw_schedule(options, counts):
    from tuneloop_torch.thaw import thawed

    groups = [["head"], *([f"layer{row}"] for row in range(6)), ["embeddings"]]
    settings = {"layers_per_epoch": None, "max_layers": None, "embeddings": False, **options}
    found = [thawed(groups, epoch, 3, **settings) for epoch in range(3)]
    assert [len(names) - 1 for names in found] == counts
    assert all("head" in names for names in found)


def test_worse_thawing_leaves_the_heads_weights(tiny, tmp_path):
    from tuneloop_torch import GradualUnfreezing

    model = tiny.model()
    before = snapshot(model)
    # A metric that prefers an untouched backbone: the first value it sees is the best.
    values = iter([1.0, 0.5, 0.4])
    source = tiny.data()
    data = TrainingData(
        source.train,
        source.validation,
        source.tensors,
        "cross_entropy",
        lambda *_: {"score": next(values)},
        "score",
        True,
    )
    options = GradualUnfreezing.Options(epochs=2, head_epochs=1, batch_size=16)
    result = GradualUnfreezing(options).fit(model, data, tmp_path, 0, lambda _: None)
    assert result.best_epoch == 1
    assert changed(before, model) == {"head.1.weight", "head.1.bias"}


def test_equal_seeds_give_equal_weights_and_others_do_not(tiny, tmp_path):
    from tuneloop_torch import Full

    hashes = []
    for run, seed in enumerate((3, 3, 4)):
        model = tiny.model()
        options = Full.Options(epochs=1, batch_size=16)
        Full(options).fit(model, tiny.data(), tmp_path / str(run), seed, lambda _: None)
        hashes.append(tiny.weights_hash(model))
    assert hashes[0] == hashes[1] != hashes[2]


def test_early_stopping_and_resuming_a_stopped_run(tiny, tmp_path):
    from tuneloop_torch import Full

    def data():
        source = tiny.data()
        values = iter([0.5, 0.7, 0.6, 0.7, 0.9])
        return TrainingData(
            source.train,
            source.validation,
            source.tensors,
            "cross_entropy",
            lambda *_: {"score": next(values)},
            "score",
            True,
        )

    strategy = Full(Full.Options(epochs=9, batch_size=32, early_stopping={"metric": "score", "patience": 2}))
    result = strategy.fit(tiny.model(), data(), tmp_path, 0, lambda _: None)
    assert [record["score"] for record in result.history] == [0.5, 0.7, 0.6, 0.7]
    equal = [record for record in result.history if record["score"] == 0.7]
    assert result.best_epoch == min(equal, key=lambda record: record["validation_loss"])["epoch"]
    seen = []
    assert strategy.fit(tiny.model(), data(), tmp_path, 0, seen.append) == result
    assert tuple(seen) == result.history


def test_errors_name_what_is_wrong(tiny, tmp_path):
    from tuneloop_torch import Full

    source = tiny.data()
    unknown = TrainingData(source.train, source.validation, source.tensors, "cross_entropy", tiny.metric, "f7", True)
    with pytest.raises(PluginError, match=r"'f7'; there are: accuracy"):
        Full(Full.Options(epochs=1)).fit(tiny.model(), unknown, tmp_path / "a", 0, lambda _: None)
    other = Full(Full.Options(early_stopping={"metric": "macro_f1"}))
    with pytest.raises(PluginError, match=r"'macro_f1'.*'accuracy'"):
        other.fit(tiny.model(), source, tmp_path / "b", 0, lambda _: None)
    empty = TrainingData(
        source.train.select([]), source.validation, source.tensors, "cross_entropy", tiny.metric, "accuracy", True
    )
    with pytest.raises(PluginError, match="0 to train on, 40 to validate"):
        Full().fit(tiny.model(), empty, tmp_path / "c", 0, lambda _: None)
    model = tiny.model()
    model.linear.weight.data.fill_(float("nan"))
    with pytest.raises(RunError, match=r"became nan at step 1; lower tune\.learning_rate"):
        Full().fit(model, source, tmp_path / "d", 0, lambda _: None)


def test_bfloat16_trains_and_repeats_and_ends_elsewhere_than_float32(tiny, tmp_path):
    from tuneloop_torch import Full

    hashes = []
    for run, precision in enumerate(("bfloat16", "bfloat16", "float32")):
        model = tiny.model()
        options = Full.Options(epochs=2, batch_size=16, precision=precision, class_weights="balanced")
        Full(options).fit(model, tiny.data(), tmp_path / str(run), 0, lambda _: None)
        hashes.append(tiny.weights_hash(model))
        assert {str(value.dtype) for value in model.state_dict().values()} == {"torch.float32"}
    assert hashes[0] == hashes[1] != hashes[2]


def test_unknown_labels_are_left_out_of_training(tiny, tmp_path):
    from tuneloop_torch import Full

    source = tiny.data(train=24)
    noisy = source.train.map(lambda row, index: {"labels": -1 if index % 2 else row["labels"]}, with_indices=True)
    hashes = []
    for name, rows in (("noisy", noisy), ("clean", source.train.select(range(0, 24, 2)))):
        data = TrainingData(rows, source.validation, source.tensors, "cross_entropy", tiny.metric, "accuracy", True)
        model = tiny.model()
        Full(Full.Options(epochs=1, batch_size=4)).fit(model, data, tmp_path / name, 0, lambda _: None)
        hashes.append(tiny.weights_hash(model))
    assert hashes[0] == hashes[1]
