"""The contracts of Tuneloop, and what scikit-learn, skops and skl2onnx bring with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import pytest
from safetensors.numpy import load_file
from tuneloop_sklearn import Sklearn, SklearnFit, SklearnOnnx
from tuneloop_sklearn.estimators import build_estimator
from tuneloop_sklearn.model import TableModel
from tuneloop_sklearn.storage import ARRAYS, DESCRIPTION, load_estimator, save_estimator

from tuneloop.api import Arrays, ArtifactError, ExportSpec, PluginError, RunError, Tensor, TrainingData
from tuneloop.api.testing import BaseModelContract, ExporterContract, StrategyContract

FOREST = "sklearn.ensemble.RandomForestClassifier"
TENSORS = (Tensor("numeric", "float32", ("batch", 4)), Tensor("categorical", "int64", ("batch", 2)))
CARDINALITIES = (3, 5)
CLASSES = 3


def make_inputs(rows: int, seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    categories = [random.integers(0, size, rows) for size in CARDINALITIES]
    return {"numeric": random.normal(size=(rows, 4)).astype(np.float32), "categorical": np.stack(categories, axis=1)}


def make_labels(inputs: Arrays, *, classifies: bool = True) -> Any:
    numbers, categories = inputs["numeric"], inputs["categorical"]
    values = numbers[:, 0] + numbers[:, 1] ** 2 + (categories[:, 0] == 2) - 0.5 * categories[:, 1]
    return np.digitize(values, [-0.6, 0.7]) if classifies else values.astype(np.float32)


def make_model(path: str = FOREST, *, classifies: bool = True, **params: Any) -> TableModel:
    return TableModel(build_estimator(path, params), 4, CARDINALITIES, CLASSES if classifies else 1, classifies)


def fitted(path: str = FOREST, *, classifies: bool = True, labels: Any = None, **params: Any) -> TableModel:
    model, inputs = make_model(path, classifies=classifies, **params), make_inputs(300, 1)
    if "random_state" in model.estimator.get_params():
        model.estimator.set_params(random_state=0)
    model.estimator.fit(
        model.features(inputs), make_labels(inputs, classifies=classifies) if labels is None else labels
    )
    return model


class OfTables:
    """What the contracts' torch models are to other strategies and exporters."""

    def outputs(self, model: TableModel, inputs: Arrays) -> Arrays:
        return {"logits": model.logits(model.features(inputs))}


class TestSklearn(OfTables, BaseModelContract):
    plugin = Sklearn
    options: ClassVar[Any] = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 2}}

    def _worlds(self, root: Path) -> Any:
        # One estimator is for one kind of task.
        return (world for world in super()._worlds(root) if world[0].loss == "cross_entropy")


class TestRegressor(TestSklearn):
    options: ClassVar[Any] = {"estimator": "sklearn.linear_model.Ridge"}

    def _worlds(self, root: Path) -> Any:
        return (world for world in BaseModelContract._worlds(self, root) if world[0].loss == "mse")


class TestSklearnFit(OfTables, StrategyContract):
    plugin = SklearnFit

    def model(self) -> TableModel:
        return make_model(n_estimators=10)

    def data(self) -> TrainingData:
        from datasets import Dataset

        def rows(count: int, seed: int) -> Dataset:
            inputs = make_inputs(count, seed)
            columns = {name: array.tolist() for name, array in inputs.items()}
            return Dataset.from_dict({**columns, "labels": make_labels(inputs), "length": [0] * count})

        def accuracy(logits: Any, labels: Any) -> dict[str, float]:
            return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}

        return TrainingData(rows(200, 1), rows(80, 2), TENSORS, "cross_entropy", accuracy, "accuracy", True)

    def weights(self, model: TableModel) -> Arrays:
        return {"logits": model.logits(model.features(make_inputs(50, 3)))}


class TestSklearnOnnx(OfTables, ExporterContract):
    plugin = SklearnOnnx

    def model(self) -> TableModel:
        return fitted(n_estimators=10)

    def spec(self) -> ExportSpec:
        return make_spec(self.model())

    def unexportable(self) -> TableModel:
        return make_model()


def make_spec(model: TableModel) -> ExportSpec:
    outputs = (Tensor("logits", "float32", ("batch", model.outputs)),)
    return ExportSpec(TENSORS, outputs, make_inputs(3, 9))


def graph_logits(model: TableModel, inputs: Arrays, folder: Path) -> Any:
    import onnxruntime

    path = SklearnOnnx().export(model, make_spec(model), folder)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], inputs)[0]


CLASSIFIERS: tuple[tuple[str, dict[str, Any]], ...] = (
    (FOREST, {"n_estimators": 20}),
    ("sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 20}),
    ("sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 10}),
    ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 10}),
    ("sklearn.ensemble.AdaBoostClassifier", {"n_estimators": 5}),
    ("sklearn.linear_model.LogisticRegression", {}),
    ("sklearn.linear_model.SGDClassifier", {"loss": "log_loss"}),
    ("sklearn.naive_bayes.GaussianNB", {}),
    ("sklearn.neighbors.KNeighborsClassifier", {}),
    ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [8], "max_iter": 2000, "tol": 0.01}),
    ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 5}),
    (
        "sklearn.calibration.CalibratedClassifierCV",
        {"estimator": {"estimator": "sklearn.svm.LinearSVC"}, "ensemble": False},
    ),
)
REGRESSORS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sklearn.ensemble.RandomForestRegressor", {"n_estimators": 20}),
    ("sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 10}),
    ("sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 10}),
    ("sklearn.linear_model.Ridge", {}),
    ("sklearn.linear_model.HuberRegressor", {"max_iter": 500}),
    ("sklearn.neighbors.KNeighborsRegressor", {}),
    ("sklearn.svm.SVR", {}),
    (
        "sklearn.pipeline.Pipeline",
        {
            "steps": [
                ["scale", {"estimator": "sklearn.preprocessing.StandardScaler"}],
                ["fit", {"estimator": "sklearn.linear_model.Lasso", "params": {"alpha": 0.01}}],
            ]
        },
    ),
)
BOTH = [(path, params, True) for path, params in CLASSIFIERS] + [(path, params, False) for path, params in REGRESSORS]


@pytest.mark.parametrize(("path", "params", "classifies"), BOTH, ids=[path.rpartition(".")[2] for path, _, _ in BOTH])
def test_an_estimator_is_saved_loaded_and_exported(
    path: str, params: dict[str, Any], classifies: bool, tmp_path: Path
) -> None:
    model, inputs = fitted(path, classifies=classifies, **params), make_inputs(80, 5)
    expected = model.logits(model.features(inputs))
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        save_estimator(model.estimator, folder)
    assert (first / DESCRIPTION).read_bytes() == (second / DESCRIPTION).read_bytes()
    assert (first / ARRAYS).read_bytes() == (second / ARRAYS).read_bytes()
    again = TableModel(load_estimator(first, type(model.estimator)), 4, CARDINALITIES, model.outputs, model.classifies)
    np.testing.assert_array_equal(again.logits(again.features(inputs)), expected)
    found = graph_logits(again, inputs, tmp_path)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import test_sklearn as t; "
        "t.save_estimator(t.fitted(n_estimators=7).estimator, pathlib.Path(sys.argv[2]))"
    )
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(folder)], check=True)
        written.append([(path.name, path.read_bytes()) for path in sorted(folder.iterdir())])
    assert written[0] == written[1]


def test_a_label_that_no_training_row_has_is_never_answered(tmp_path: Path) -> None:
    inputs = make_inputs(300, 1)
    model = fitted(n_estimators=5, labels=np.where(make_labels(inputs) == 1, 2, 0))
    logits = graph_logits(model, make_inputs(40, 2), tmp_path)
    assert logits.shape == (40, CLASSES)
    assert set(logits.argmax(axis=1)) == {0, 2}
    np.testing.assert_allclose(logits, model.logits(model.features(make_inputs(40, 2))), atol=1e-4)


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("os.system", {}, "no module that may be imported"),
        ("sklearn.utils.Bunch", {}, "no module that may be imported"),
        ("sklearn.datasets.fetch_openml", {}, "no module that may be imported"),
        ("sklearn.ensemble.partial_dependence", {}, "has no 'partial_dependence'"),
        ("sklearn.pipeline.make_pipeline", {}, "has no 'make_pipeline'"),
        ("sklearn.linear_model.LogisticRegresion", {}, "Did you mean 'LogisticRegression'?"),
        (FOREST, {"n_estimators": 0}, "must be an int in the range [1, inf)"),
        (FOREST, {"max_dept": 3}, "Did you mean 'max_depth'?"),
        ("sklearn.calibration.CalibratedClassifierCV", {"estimator": {"estimator": "os.system"}}, "may be imported"),
        ("sklearn.ensemble.StackingClassifier", {}, "missing 1 required positional argument: 'estimators'"),
    ],
)
def test_what_is_no_estimator_is_refused(path: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Sklearn.Options(estimator=path, params=params)
    assert said in str(caught.value)


def test_a_file_with_something_else_is_not_loaded(tmp_path: Path) -> None:
    save_estimator(fitted(n_estimators=3).estimator, tmp_path)
    cls = type(make_model().estimator)
    described = (tmp_path / DESCRIPTION).read_text()
    schema = json.loads(described)
    schema["__module__"], schema["__class__"] = "subprocess", "Popen"
    (tmp_path / DESCRIPTION).write_text(json.dumps(schema))
    with pytest.raises(ArtifactError, match=r"holds subprocess\.Popen: only objects of scikit-learn are loaded"):
        load_estimator(tmp_path, cls)
    (tmp_path / DESCRIPTION).write_text(described)
    with pytest.raises(ArtifactError, match="holds a RandomForestClassifier; the project asks for a TableModel"):
        load_estimator(tmp_path, TableModel)
    assert load_file(tmp_path / ARRAYS)
    (tmp_path / ARRAYS).write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="holds no estimator that can be read"):
        load_estimator(tmp_path, cls)


def test_an_estimator_must_fit_the_task(tmp_path: Path) -> None:
    from datasets import Dataset

    from tuneloop.api.testing.installed import find

    columns_of = {"tabular-classification": "label", "tabular-regression": "value"}
    rows = Dataset.from_dict({"size": [1.0, 2.0, 3.0], "label": ["a", "b", "a"], "value": [1.0, 2.0, 3.0]})
    from tuneloop.api import Columns

    for task_name, path, said in (
        ("tabular-classification", "sklearn.linear_model.Ridge", "needs a classifier"),
        ("tabular-regression", FOREST, "needs a regressor"),
        ("tabular-classification", "sklearn.svm.LinearSVC", "gives no probabilities with these parameters. Wrap it"),
    ):
        columns = Columns({"size": "size"}, columns_of[task_name])
        task = find("tuneloop_tasks", task_name).fit(columns, rows)
        preprocessor = find("tuneloop_preprocessors", "tabular").fit({}, columns, rows)
        with pytest.raises(PluginError, match=said):
            Sklearn(Sklearn.Options(estimator=path)).build(tmp_path, task, preprocessor)


def test_an_estimator_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    model = fitted("sklearn.dummy.DummyClassifier")
    with pytest.raises(RunError, match="skl2onnx cannot convert a DummyClassifier"):
        SklearnOnnx().export(model, make_spec(model), tmp_path)
