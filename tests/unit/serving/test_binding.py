"""The calls that run on CUDA, here on the CPU: the same code with another device."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Arrays
from tuneloop.artifact import Artifact
from tuneloop.serving.binding import BoundGraph

Session = onnxruntime.InferenceSession


@pytest.fixture(scope="module")
def session(artifacts: Callable[..., Artifact]) -> Session:
    return Session(str(artifacts(1).model), providers=["CPUExecutionProvider"])


def inputs(rows: int, seed: int = 0) -> Arrays:
    generator = np.random.default_rng(seed)
    numeric = generator.normal(size=(rows, 3)).astype(np.float32)
    return {"numeric": numeric, "categorical": generator.integers(0, 5, size=(rows, 1))}


def plain(session: Session, feed: Arrays) -> Arrays:
    return dict(zip(("logits", "embedding"), session.run(["logits", "embedding"], feed), strict=True))


def equal(found: Arrays, expected: Arrays) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in expected)


@given(rows=st.integers(1, 70), seed=st.integers(0, 9))
def test_bound_calls_give_what_plain_ones_give(session: Session, rows: int, seed: int) -> None:
    feed = inputs(rows, seed)
    assert equal(BoundGraph(session, ("logits", "embedding"), "cpu").run(feed), plain(session, feed))


def test_arrays_that_are_not_contiguous(session: Session) -> None:
    feed = {name: array[::2] for name, array in inputs(20).items()}
    feed["numeric"] = np.asfortranarray(feed["numeric"])
    assert equal(BoundGraph(session, ("logits", "embedding"), "cpu").run(feed), plain(session, feed))


def test_only_the_outputs_wanted(session: Session) -> None:
    assert BoundGraph(session, ("logits",), "cpu").run(inputs(2)).keys() == {"logits"}


def test_answers_outlive_the_call_and_are_their_callers_own(session: Session) -> None:
    graph = BoundGraph(session, ("logits", "embedding"), "cpu")
    first = graph.run(inputs(4, 1))
    kept = first["logits"].copy()
    second = graph.run(inputs(4, 2))
    first["embedding"][:] = 0
    assert np.array_equal(first["logits"], kept)
    assert equal(second, plain(session, inputs(4, 2)))


def test_many_threads_share_it(session: Session) -> None:
    graph = BoundGraph(session, ("logits", "embedding"), "cpu")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: graph.run(inputs(1 + seed % 5, seed)), range(200)))
    assert all(equal(one, plain(session, inputs(1 + seed % 5, seed))) for seed, one in enumerate(found))
