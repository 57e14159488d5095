from __future__ import annotations

from dataclasses import replace

import pytest
from tests.bench.burst import Burst
from tests.bench.footprint import Environment, Memory
from tests.bench.loads import Measurement
from tests.bench.numbers import spread
from tests.bench.report import Table, figure_tables, markdown, short, target_table
from tests.bench.targets import RAW, TYPED, UNWATCHED, Row, rows


def measured(workload: str, subject: str, clients: int, rates: list[float], tail: float = 0.02) -> list[Measurement]:
    return [
        Measurement(workload, subject, clients, number, rate, 0.001, tail, 1 / rate, 0.2)
        for number, rate in enumerate(rates)
    ]


def find(found: list[Row], what: str, at: str = "") -> Row:
    (row,) = [row for row in found if what in row.what and at in row.at]
    return row


@pytest.mark.parametrize(
    ("value", "target", "least", "verdict"),
    [
        (8.0, 8.0, True, "reached"),
        (7.9, 8.0, True, "short"),
        (1.1, 1.1, False, "reached"),
        (1.2, 1.1, False, "short"),
        (1.2, None, True, ""),
    ],
)
def test_verdicts(value: float, target: float | None, least: bool, verdict: str) -> None:
    assert Row("what", "", spread([value]), target, least).verdict == verdict


def test_a_peer_is_compared_within_each_round() -> None:
    ours, theirs = measured("table", RAW, 8, [800, 2000, 900]), measured("table", "bentoml", 8, [100, 200, 100])
    row = find(rows([*ours, *reversed(theirs)], [], None, []), f"{RAW} / bentoml", "8 clients")
    assert (row.figure.low, row.figure.median, row.figure.high) == (8, 9, 10)
    assert row.cpu is not None
    assert row.cpu.median == pytest.approx(9)
    assert (row.target, row.verdict) == (8.0, "reached")


def test_fastapi_is_not_to_be_faster() -> None:
    found = rows([*measured("table", RAW, 1, [90]), *measured("table", "fastapi", 1, [100])], [], None, [])
    row = find(found, f"{RAW} / fastapi")
    assert (row.target, row.verdict) == (1.0, "short")


@pytest.mark.parametrize(
    ("ours", "verdict"), [([110, 120], "ahead"), ([90, 120], "level"), ([80, 90], "behind"), ([100, 100], "level")]
)
def test_a_peer_is_to_be_passed_in_every_round(ours: list[float], verdict: str) -> None:
    found = rows([*measured("encoder", RAW, 8, ours), *measured("encoder", "litserve", 8, [100, 100])], [], None, [])
    assert find(found, f"{RAW} / litserve").verdict == verdict


def test_the_ceiling_is_the_fastest_way() -> None:
    found = rows(
        [
            *measured("encoder", RAW, 64, [58]),
            *measured("encoder", "onnx 2x1 threads, 1 a call", 0, [60]),
            *measured("encoder", "onnx 1x2 threads, 8 a call", 0, [40]),
        ],
        [],
        None,
        [],
    )
    row = find(found, "best calls in a process (onnx 2x1 threads, 1 a call)")
    assert row.figure.median == pytest.approx(58 / 60)
    assert row.verdict == "reached"


def test_mixed_lengths_are_compared_with_padded_and_unpadded_calls() -> None:
    found = rows(
        [
            *measured("mixed", RAW, 8, [100]),
            *measured("mixed", "bentoml-batch", 8, [40]),
            *measured("mixed", "onnx 2x1 threads, 1 a call", 0, [110]),
            *measured("mixed", "onnx 2x1 threads, 8 a call", 0, [50]),
        ],
        [],
        None,
        [],
    )
    assert find(found, "best padded calls").figure.median == 2
    assert find(found, "best unpadded calls").verdict == "short"
    assert (find(found, "bentoml-batch").target, find(found, "bentoml-batch").verdict) == (2.0, "reached")


def test_int8_is_compared_with_torch() -> None:
    ways = [
        *measured("int8", "torch 1x2 threads, 8 a call", 0, [40]),
        *measured("int8", "onnx 2x1 threads, 1 a call", 0, [100]),
    ]
    found = rows([*measured("int8", RAW, 8, [99]), *ways], [], None, [])
    assert find(found, "torch eager").figure.median == pytest.approx(99 / 40)
    assert find(found, "torch eager").verdict == "short"
    assert find(found, "int8: tuneloop-raw / best calls in a process").verdict == "reached"


def test_the_tail_is_a_multiple_of_the_ideal_queue() -> None:
    row = find(rows(measured("table", RAW, 64, [3200], tail=0.025), [], None, []), "ideal queue")
    assert row.figure.median == pytest.approx(0.025 / (64 / 3200))
    assert row.verdict == "reached"


def test_what_monitoring_costs() -> None:
    ones = [*measured("table", TYPED, 64, [80, 90, 70]), *measured("table", UNWATCHED, 64, [100, 100, 100])]
    row = find(rows(ones, [], None, []), "store and signals cost")
    assert (row.figure.low, row.figure.median, row.figure.high) == pytest.approx((0.1, 0.2, 0.3))
    assert (row.target, row.verdict) == (0.15, "short")


def test_bursts_environment_and_memory() -> None:
    bursts = [Burst("table", RAW, number, 0.001, after) for number, after in enumerate((0.001, 0.0012, 0.00105))]
    environment = Environment(300_000_000, 60_000_000, ("torch",), (4.0, 6.0, 3.0), (1.0, 1.0, 1.0))
    memory = Memory(RAW, 200_000, (90, 100, 100, 100, 103))
    found = rows([], bursts, environment, [memory])
    assert find(found, "burst").figure.median == pytest.approx(1.05)
    assert [find(found, one).verdict for one in ("burst", "environment, MB", "training", "until ready", "memory")] == [
        "reached",
        "short",
        "short",
        "reached",
        "short",
    ]
    assert find(found, "without bytecode").figure.median == pytest.approx(240)


def test_what_was_not_measured_has_no_row() -> None:
    assert rows([], [], None, []) == []
    assert rows(measured("table", "fastapi", 1, [100]), [], None, []) == []


def test_the_report_shows_every_figure() -> None:
    ones = [*measured("table", RAW, 8, [1000, 3000]), *measured("table", "onnx 1x1 threads, 1 a call", 0, [9000])]
    ones[0] = replace(ones[0], failed=3)
    (table,) = figure_tables(ones)
    assert table.body[0] == (RAW, "8", "2,000", "1,000 to 3,000", "1", "20", "667", "20%", "3")
    assert table.body[1][:2] == ("onnx 1x1 threads, 1 a call", "-")
    text = markdown([table, target_table([Row("a", "b", spread([1.0]), 2.0)])], {"cores": "2"}, ["A note."])
    assert "| a | b | 1 |  |  | ≥ 2 | short |" in text
    assert "| cores | 2 |" in text
    assert "A note." in text


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (123.4, "123"), (12345.6, "12,346")]
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert short(value) == shown


def test_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.bench.report import print_tables

    print_tables([Table("Targets", ("what", "", ""), [("door", "1", "short")])])
    assert "door" in capsys.readouterr().out
