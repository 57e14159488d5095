"""The raw door, driven by Triton's own client as it comes from the package index."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    # gevent, which the client brings, looks at what the interpreter has loaded before it.
    warnings.simplefilter("ignore")
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.filterwarnings("ignore:.*gevent.*")

ROWS = [
    {"age": 30.0, "hours per week": 40.0, "job": "cook"},
    {"age": 61.0, "hours per week": 12.0, "job": "pilot"},
    {"age": 19.0, "hours per week": 55.0, "job": "astronaut"},
]
MESSAGES = ["good good", "bad news", "good day bad"]


@pytest.fixture
def on_table(table: Any) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(":".join(map(str, table.address))) as client:
        yield client


@pytest.fixture
def on_desk(desk: Any) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(":".join(map(str, desk.address))) as client:
        yield client


def tensor(name: str, array: np.ndarray[Any, Any], datatype: str, *, binary: bool) -> InferInput:
    return InferInput(name, list(array.shape), datatype).set_data_from_numpy(array, binary_data=binary)


def columns(*, binary: bool) -> list[InferInput]:
    return [
        tensor("age", np.array([row["age"] for row in ROWS]), "FP64", binary=binary),
        tensor("hours per week", np.array([row["hours per week"] for row in ROWS]), "FP64", binary=binary),
        tensor("job", np.array([row["job"] for row in ROWS], dtype=object), "BYTES", binary=binary),
    ]


def texts(array: np.ndarray[Any, Any]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else value for value in array.ravel()]


def test_health(table: Any, on_table: InferenceServerClient) -> None:
    assert on_table.is_server_live()
    assert on_table.is_server_ready()
    assert on_table.is_model_ready(table.model)
    assert on_table.is_model_ready(table.model, "1")
    assert not on_table.is_model_ready(table.model, "7")
    assert not on_table.is_model_ready("another")


def test_metadata_describes_tensors_columns_and_answers(
    table: Any, on_table: InferenceServerClient, on_desk: InferenceServerClient
) -> None:
    assert on_table.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_configuration"]
    said = on_table.get_model_metadata(table.model, "1")
    assert (said["name"], said["versions"], said["platform"]) == (table.model, ["1"], "onnxruntime_onnx")
    assert said["inputs"] == [
        {"name": "numeric", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "categorical", "datatype": "INT64", "shape": [-1, 1]},
    ]
    assert said["outputs"][0] == {"name": "logits", "datatype": "FP32", "shape": [-1, 2]}
    assert {one["name"]: one["datatype"] for one in said["parameters"]["columns"]} == {
        "age": "FP64", "hours per week": "FP64", "job": "BYTES"
    }  # fmt: skip
    answers = on_desk.get_model_metadata("tiny-desk")["parameters"]["answers"]
    assert answers == [
        {"name": "id", "datatype": "BYTES", "shape": [-1]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "confidence", "datatype": "FP64", "shape": [-1]},
        {"name": "scores", "datatype": "FP64", "shape": [-1, 2], "parameters": {"labels": ["praise", "complaint"]}},
    ]


def test_the_configuration_names_what_tritons_tools_ask_for(table: Any, on_table: InferenceServerClient) -> None:
    said = on_table.get_model_config(table.model)
    assert said["max_batch_size"] == 1024
    assert said["input"][0] == {"name": "numeric", "data_type": "TYPE_FP32", "dims": [3]}
    assert {one["name"] for one in said["output"]} == {"logits", "embedding"}
    assert on_table.get_model_config(table.model, "1") == said


@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("binary_in", [False, True])
def test_raw_tensors(table: Any, on_table: InferenceServerClient, binary_in: bool, binary_out: bool) -> None:
    encoded = table.expected.preprocessor.encode(table.expected.preprocessor.check(ROWS))[0].inputs
    inputs = [
        tensor("numeric", encoded["numeric"], "FP32", binary=binary_in),
        tensor("categorical", encoded["categorical"], "INT64", binary=binary_in),
    ]
    answer = on_table.infer(
        table.model,
        inputs,
        model_version="1",
        outputs=[InferRequestedOutput("logits", binary_data=binary_out)],
        request_id="round 1",
        priority=1,
        timeout=5_000_000,
        parameters={"tenant": "a"},
    )
    np.testing.assert_allclose(answer.as_numpy("logits"), table.expected.run(encoded)["logits"], rtol=1e-5)
    said = answer.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("round 1", table.model, "1")
    assert [one["name"] for one in said["outputs"]] == ["logits"]
    assert answer.as_numpy("embedding") is None


def test_all_outputs_come_where_none_is_named(table: Any, on_table: InferenceServerClient) -> None:
    answer = on_table.infer(table.model, columns(binary=True))
    names = [one["name"] for one in answer.get_response()["outputs"]]
    assert names == ["logits", "embedding", "id", "label", "confidence", "scores"]
    assert "id" not in answer.get_response()
    assert answer.as_numpy("embedding").shape == (3, 3)


@pytest.mark.parametrize("binary", [False, True])
def test_columns_of_a_table(table: Any, on_table: InferenceServerClient, binary: bool) -> None:
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("label", "confidence", "scores", "id")]
    answer = on_table.infer(table.model, columns(binary=binary), outputs=wanted)
    expected = table.expected.predict(ROWS).answers
    assert texts(answer.as_numpy("label")) == [one["label"] for one in expected]
    np.testing.assert_allclose(answer.as_numpy("confidence"), [one["confidence"] for one in expected], rtol=1e-5)
    scores = [list(one["scores"].values()) for one in expected]
    np.testing.assert_allclose(answer.as_numpy("scores"), scores, rtol=1e-5)
    assert len(set(texts(answer.as_numpy("id")))) == len(ROWS)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_texts_go_through_the_preprocessor(
    desk: Any, on_desk: InferenceServerClient, binary: bool, shape: tuple[int, ...]
) -> None:
    given = np.array(MESSAGES, dtype=object).reshape(shape)
    answer = on_desk.infer(desk.model, [tensor("message", given, "BYTES", binary=binary)])
    expected = desk.expected.predict([{"message": text} for text in MESSAGES])
    assert texts(answer.as_numpy("label")) == [one["label"] for one in expected.answers]
    np.testing.assert_allclose(answer.as_numpy("logits"), expected.outputs["logits"], rtol=1e-5)


def test_labels_come_back_under_the_ids(desk: Any, on_desk: InferenceServerClient) -> None:
    given = np.array(MESSAGES, dtype=object)
    ids = texts(on_desk.infer(desk.model, [tensor("message", given, "BYTES", binary=True)]).as_numpy("id"))
    answer = desk.client.post("/feedback", json={"items": [{"id": one, "label": "praise"} for one in ids]})
    assert answer.json()["joined"] == 3


def test_raw_tokens_of_any_length(desk: Any, on_desk: InferenceServerClient) -> None:
    for length in (1, 5):
        tokens = np.full((2, length), 2, dtype=np.int64)
        answer = on_desk.infer(desk.model, [tensor("input_ids", tokens, "INT64", binary=True)])
        np.testing.assert_allclose(
            answer.as_numpy("logits"), desk.expected.run({"input_ids": tokens})["logits"], rtol=1e-5
        )


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([tensor("message", np.array([b"\xff\xfe"], dtype=object), "BYTES", binary=True)], "no UTF-8"),
        ([tensor("message", np.array([" "], dtype=object), "BYTES", binary=True)], "not blank"),
        ([tensor("messages", np.array(["good"], dtype=object), "BYTES", binary=True)], "must be the columns message"),
        ([tensor("message", np.array([["a", "b"]], dtype=object), "BYTES", binary=False)], "one value a row"),
        ([tensor("input_ids", np.array([[2]], dtype=np.int32), "INT32", binary=True)], "has datatype INT32, not INT64"),
        ([tensor("input_ids", np.array([2], dtype=np.int64), "INT64", binary=True)], "has shape"),
        ([tensor("input_ids", np.ones((1, 65), dtype=np.int64), "INT64", binary=True)], "has an axis longer than 64"),
        ([tensor("input_ids", np.array([[10_000]], dtype=np.int64), "INT64", binary=True)], "cannot take"),
    ],
)
def test_refusals_reach_the_client_as_sentences(
    desk: Any, on_desk: InferenceServerClient, inputs: list[InferInput], said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as caught:
        on_desk.infer(desk.model, inputs)
    assert caught.value.status() == "422"


def test_what_is_not_supported_is_refused_rather_than_overlooked(desk: Any, on_desk: InferenceServerClient) -> None:
    message = tensor("message", np.array(["good"], dtype=object), "BYTES", binary=True)
    before = desk.total("tuneloop_predictions_total")
    for output, said in [
        (InferRequestedOutput("logits", class_count=2), "'classification', which is not supported"),
        (InferRequestedOutput("nothing"), "asks for 'nothing'"),
    ]:
        with pytest.raises(InferenceServerException, match=said):
            on_desk.infer(desk.model, [message], outputs=[output])
    with pytest.raises(InferenceServerException, match="compressed"):
        on_desk.infer(desk.model, [message], request_compression_algorithm="gzip")
    with pytest.raises(InferenceServerException, match="not served here"):
        on_desk.infer("another", [message])
    with pytest.raises(InferenceServerException, match="see / for what this server answers"):
        on_desk.get_inference_statistics(desk.model)
    # Refused before anything was computed.
    assert desk.total("tuneloop_predictions_total") == before
