from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.config import Split
from tuneloop.pipeline.data.assign import SPLITS, assign, assign_feedback, share

BY_CONTENT = Split(validation=0.1, test=0.1, golden=0.2, key=None, seed=0)
BY_KEY = Split(validation=0.1, test=0.1, golden=0.2, key="id", seed=0)


def rows(count):
    return [{"id": i, "text": f"message {i}"} for i in range(count)]


def test_shares_are_met():
    placed = assign(rows(4000), ["text"], BY_CONTENT, "label")
    assert {name: round(placed.count(name) / 4000, 1) for name in SPLITS} == {
        "golden": 0.2,
        "test": 0.1,
        "validation": 0.1,
        "train": 0.6,
    }


def test_a_row_stays_where_it_is_when_others_come_and_go():
    everything = assign(rows(500), ["text"], BY_KEY, "label")
    assert assign(rows(500)[100:200], ["text"], BY_KEY, "label") == everything[100:200]


def test_golden_rows_stay_when_other_shares_change():
    wider = Split(validation=0.2, test=0.2, golden=0.2, key="id", seed=0)
    first, second = assign(rows(500), ["text"], BY_KEY, "label"), assign(rows(500), ["text"], wider, "label")
    assert [i for i, name in enumerate(first) if name == "golden"] == [
        i for i, name in enumerate(second) if name == "golden"
    ]


def test_rows_of_a_group_stay_together():
    calls = [{"id": i, "text": f"message {i}", "caller": i % 60} for i in range(3000)]
    split = replace(BY_KEY, group="caller")
    placed = assign(calls, ["text"], split, "label")
    places = {}
    for row, name in zip(calls, placed, strict=True):
        places.setdefault(row["caller"], set()).add(name)
    assert all(len(names) == 1 for names in places.values())
    assert set(placed) == set(SPLITS)


def test_rows_without_a_group_are_alone():
    calls = [{"id": i, "text": f"message {i}", "caller": None} for i in range(500)]
    assert set(assign(calls, ["text"], replace(BY_KEY, group="caller"), "label")) == set(SPLITS)


def test_the_newest_rows_are_the_test_rows():
    days = [{"id": i, "day": f"2024-{1 + i % 12:02}-{1 + i % 28:02}"} for i in range(1000)]
    split = replace(BY_KEY, time="day")
    placed = assign(days, ["id"], split, "label")
    times = {name: [row["day"] for row, where in zip(days, placed, strict=True) if where == name] for name in SPLITS}
    assert max(times["train"]) <= min(times["validation"])
    assert max(times["validation"]) <= min(times["test"])
    assert {name: round(len(found) / 1000, 1) for name, found in times.items()} == {
        "golden": 0.2,
        "test": 0.1,
        "validation": 0.1,
        "train": 0.6,
    }
    # The golden rows are those of the other ways, so that they stay when the way is changed.
    other = assign(days, ["id"], BY_KEY, "label")
    assert [name == "golden" for name in placed] == [name == "golden" for name in other]
    with pytest.raises(DataError, match="has no place in time"):
        assign([{"id": i, "day": None} for i in range(9)], ["id"], split, "label")
    with pytest.raises(DataError, match="times of several kinds"):
        assign([{"id": i, "day": i if i % 2 else str(i)} for i in range(9)], ["id"], split, "label")


@pytest.mark.parametrize("day", ["3/1/2011 0:00", "01.02.2026", "Bachelors", "2026-03-01 9:30", "2026-3-1", ""])
def test_texts_whose_order_is_not_that_of_time_are_refused(day):
    rows = [{"message": "a", "day": "2026-03-01"}, {"message": "b", "day": day}]
    with pytest.raises(DataError, match="in one way, from the year down"):
        assign(rows, ["message"], replace(BY_CONTENT, time="day"), "label")


@pytest.mark.parametrize("day", ["2026/02/28", "20260228", "1700000000"])
def test_texts_are_written_in_one_way(day):
    rows = [{"message": "a", "day": "2026-03-01T00:00Z"}, {"message": "b", "day": day}]
    split = Split(0.25, 0.25, 0.0, key=None, seed=0, time="day")
    with pytest.raises(DataError, match="row 0 has '2026-03-01T00:00Z'"):
        assign(rows, ["message"], split, "label")


@pytest.mark.parametrize(
    "days",
    [
        ["2026", "2027", "2028", "2029"],
        ["2026", "2026-03", "2026-04", "2026-04-01"],
        ["2026-03-01", "2026-03-02T09:30:00+00:00", "2028-01-01", "2029"],
        ["2026/03/01 09:30", "2026/03/01 10:30", "2026/03/02", "2026/03/03"],
        ["20260301T09", "20260301T0930", "20261201T09", "20261201T10"],
        ["2026-03-01 09:30:00.123", "2026-03-01 09:30:01", "2026-03-01 10 ", "2027-03-01"],
        ["20260301093000", "20260301093001", "20270301093000", "20280301093000"],
        ["1700000000", "1700000001", "1800000000", "1900000000"],
        ["2026-W10", "2026-W11", "2026-W12", "2027-W01"],
        ["2026-060", "2026-061", "2026-361", "2027-001"],
        ["2026-Q1", "2026-Q2", "2026-Q4", "2027-Q1"],
        # Their letters are not in this order.
        ["2026-03-02T00:10+02:00", "2026-03-01T23:30-05:00", "2026-03-02T05:00Z", "2026-03-02T06:00"],
    ],
)
def test_times_from_the_year_down_are_in_order(days):
    rows = [{"message": str(i), "day": day} for i, day in enumerate(days)]
    assert assign(rows, ["message"], Split(0.25, 0.25, 0.0, key=None, seed=0, time="day"), "label") == [
        "train", "train", "validation", "test",
    ]  # fmt: skip


def test_a_rare_class_has_its_share_when_stratified():
    few = [{"id": i, "text": f"message {i}", "label": "rare" if i % 25 == 0 else "common"} for i in range(1000)]
    placed = assign(few, ["text"], replace(BY_KEY, stratify=True), "label")
    found = Counter((row["label"], name) for row, name in zip(few, placed, strict=True))
    for label in ("rare", "common"):
        left = sum(found[label, name] for name in SPLITS if name != "golden")
        for name in ("test", "validation"):
            assert abs(found[label, name] - left * 0.1 / 0.8) <= 0.5


@given(st.lists(st.tuples(st.integers(), st.sampled_from("abc")), unique_by=lambda pair: pair[0]), st.booleans())
def test_every_row_has_a_place_and_golden_is_frozen(pairs, stratify):
    some = [{"id": number, "label": label} for number, label in pairs]
    split = replace(BY_KEY, stratify=stratify)
    placed = assign(some, ["id"], split, "label")
    assert set(placed) <= set(SPLITS)
    half = assign(some[::2], ["id"], split, "label")
    assert [name == "golden" for name in half] == [name == "golden" for name in placed[::2]]


def test_equal_content_goes_to_one_split_case_and_space_aside():
    twins = [{"text": "Buongiorno  a tutti"}, {"text": " buongiorno a TUTTI "}]
    first, second = assign(twins, ["text"], BY_CONTENT, "label")
    assert first == second


def test_another_seed_is_another_split():
    other = Split(validation=0.1, test=0.1, golden=0.2, key="id", seed=1)
    assert assign(rows(200), ["text"], BY_KEY, "label") != assign(rows(200), ["text"], other, "label")


@given(st.text(), st.text())
def test_a_share_is_below_one_and_repeatable(key, salt):
    assert 0 <= share(key, salt) < 1
    assert share(key, salt) == share(key, salt)


def test_feedback_goes_to_training_and_to_a_part_never_trained_on():
    placed = [assign_feedback(f"row {i}") for i in range(3000)]
    assert 0.17 < placed.count("feedback_test") / 3000 < 0.23
    assert 0.67 < placed.count("train") / 3000 < 0.73
