from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, save
from tests.bench.inside import Pace, Setup, Turn, batches, run_turn
from tests.bench.talk import Talker

REQUESTS: list[dict[str, list[list[float]]]] = [{"ids": [[1, 2, 3]]}, {"ids": [[4]]}, {"ids": [[5, 6]]}]


def test_rows_of_one_batch_are_padded_to_its_longest() -> None:
    (both,) = batches(REQUESTS, 2)
    assert both["ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert both["ids"].dtype == np.int64


def test_a_row_alone_is_not_padded() -> None:
    assert [one["ids"].tolist() for one in batches(REQUESTS, 1)] == [[[1, 2, 3]], [[4]], [[5, 6]]]


def test_numbers_stay_numbers() -> None:
    (one,) = batches([{"x": [[0.5, 2.0]]}], 1)
    assert one["x"].dtype == np.float32


def test_every_thread_calls_and_every_row_counts() -> None:
    seen: list[tuple[int, Any]] = []
    everybody = threading.Barrier(3)

    def call(batch: dict[str, Any]) -> None:
        first = threading.get_ident() not in {one for one, _ in seen}
        seen.append((threading.get_ident(), batch["ids"].tolist()))
        if first:
            everybody.wait(60)

    pace = run_turn(call, batches(REQUESTS, 1), 1, 3, Turn(warm=0.0, seconds=0.2))
    assert len({thread for thread, _ in seen}) == 3
    assert pace.rate * 0.2 == pytest.approx(len(seen), abs=3)
    assert pace.p50 <= pace.p99


def test_calls_longer_than_the_turn_have_a_pace_too() -> None:
    over = threading.Event()

    def wait(_: dict[str, Any]) -> None:
        over.wait(60)

    threading.Timer(0.1, over.set).start()
    pace = run_turn(wait, batches(REQUESTS, 1), 1, 2, Turn(warm=0.0, seconds=0.001))
    assert pace.rate > 0


def test_a_graph_is_called_in_a_process_of_its_own(tmp_path: Path) -> None:
    numbers = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 2]) for n in ("numeric", "logits")]
    graph = helper.make_graph([helper.make_node("Neg", ["numeric"], ["logits"])], "g", numbers[:1], numbers[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "m.onnx")
    (tmp_path / "rows.json").write_text(json.dumps([{"numeric": [[1.5, 2.5]]}] * 4))
    setup = Setup(engine="onnx", model=tmp_path / "m.onnx", rows=tmp_path / "rows.json", threads=2, intra=1, batch=2)
    with Talker("tests.bench.inside", setup.model_dump_json()) as talker:
        paces = [Pace.model_validate_json(talker.ask('{"warm": 0.05, "seconds": 0.2}')) for _ in range(2)]
    assert all(pace.rate > 0 and pace.cpu > 0 for pace in paces)
