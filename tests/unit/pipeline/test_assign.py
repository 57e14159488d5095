from hypothesis import given
from hypothesis import strategies as st

from tuneloop.config import Split
from tuneloop.pipeline.assign import SPLITS, assign, assign_feedback, share

BY_CONTENT = Split(validation=0.1, test=0.1, golden=0.2, key=None, seed=0)
BY_KEY = Split(validation=0.1, test=0.1, golden=0.2, key="id", seed=0)


def rows(count):
    return [{"id": i, "text": f"message {i}"} for i in range(count)]


def test_shares_are_met():
    placed = assign(rows(4000), ["text"], BY_CONTENT)
    assert {name: round(placed.count(name) / 4000, 1) for name in SPLITS} == {
        "golden": 0.2,
        "test": 0.1,
        "validation": 0.1,
        "train": 0.6,
    }


def test_a_row_stays_where_it_is_when_others_come_and_go():
    everything = assign(rows(500), ["text"], BY_KEY)
    assert assign(rows(500)[100:200], ["text"], BY_KEY) == everything[100:200]


def test_golden_rows_stay_when_other_shares_change():
    wider = Split(validation=0.2, test=0.2, golden=0.2, key="id", seed=0)
    first, second = assign(rows(500), ["text"], BY_KEY), assign(rows(500), ["text"], wider)
    assert [i for i, name in enumerate(first) if name == "golden"] == [
        i for i, name in enumerate(second) if name == "golden"
    ]


def test_equal_content_goes_to_one_split_case_and_space_aside():
    twins = [{"text": "Buongiorno  a tutti"}, {"text": " buongiorno a TUTTI "}]
    first, second = assign(twins, ["text"], BY_CONTENT)
    assert first == second


def test_another_seed_is_another_split():
    other = Split(validation=0.1, test=0.1, golden=0.2, key="id", seed=1)
    assert assign(rows(200), ["text"], BY_KEY) != assign(rows(200), ["text"], other)


@given(st.text(), st.text())
def test_a_share_is_below_one_and_repeatable(key, salt):
    assert 0 <= share(key, salt) < 1
    assert share(key, salt) == share(key, salt)


def test_feedback_goes_to_training_and_to_a_part_never_trained_on():
    placed = [assign_feedback(f"row {i}") for i in range(3000)]
    assert 0.17 < placed.count("feedback_test") / 3000 < 0.23
    assert 0.67 < placed.count("train") / 3000 < 0.73
