from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ServingError
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.store_policy import (
    KEEP_ALL,
    KEY_VARIABLE,
    POLICY_VARIABLE,
    CoveredStore,
    StorePolicy,
    cover,
    hidden,
    key_from_environment,
    read_key,
)

KEY = b"0123456789abcdef"
ROW = {"name": "Anna", "age": 30.0, "job": None}
texts = st.text(max_size=20)
values = (
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts | st.lists(texts, max_size=3)
)


def test_everything_is_kept_where_nothing_is_said() -> None:
    assert KEEP_ALL.keeps_inputs
    assert cover(KEEP_ALL, b"")(ROW) == ROW
    assert StorePolicy.from_environment({}) == KEEP_ALL
    assert key_from_environment(KEEP_ALL, {}) == b""


def test_columns_are_hashed_or_left_out() -> None:
    policy = StorePolicy(drop_columns=("name",), hash_columns=("age",))
    covered = cover(policy, KEY)(ROW)
    assert covered["name"] == {"dropped": True}
    assert covered["job"] is None
    assert set(covered["age"]) == {"hashed"}
    assert (len(covered["age"]["hashed"]), policy.keeps_inputs, policy.hashes) == (32, False, True)
    assert cover(StorePolicy(inputs="drop"), b"")(ROW) == {}
    assert cover(StorePolicy(inputs="drop", hash_columns=("age",)), KEY)(ROW)["age"] == covered["age"]
    assert cover(StorePolicy(inputs="hash", drop_columns=("name",)), KEY)(ROW)["name"] == {"dropped": True}


@given(values, values, st.binary(min_size=16, max_size=40))
def test_equal_values_have_equal_hashes_and_nothing_of_them_shows(one: object, other: object, key: bytes) -> None:
    hashed = [cover(StorePolicy(inputs="hash"), key)({"x": value})["x"]["hashed"] for value in (one, other)]
    assert (hashed[0] == hashed[1]) == (json.dumps(one) == json.dumps(other))
    assert cover(StorePolicy(inputs="hash"), key + b"!")({"x": one})["x"]["hashed"] != hashed[0]


@given(st.dictionaries(texts, values, min_size=1), st.sampled_from(["hash", "drop"]))
def test_what_is_covered_is_known_to_be_and_what_is_not_is_not(row: dict[str, object], how: str) -> None:
    assert not hidden(row)
    assert hidden(cover(StorePolicy(inputs=how), KEY)(row))  # type: ignore[arg-type]
    assert hidden(cover(StorePolicy(drop_columns=(next(iter(row)),)), KEY)(row))


def test_a_sample_is_a_share_that_all_agree_on_and_a_larger_one_holds_it() -> None:
    ids = [f"{number:024x}" for number in range(20_000)]
    small = {id_ for id_ in ids if StorePolicy(sample=0.1).takes(id_)}
    assert abs(len(small) - 2000) < 250
    assert small < {id_ for id_ in ids if StorePolicy(sample=0.3).takes(id_)}
    assert all(map(KEEP_ALL.takes, ids))


def test_a_policy_survives_the_environment() -> None:
    policy = StorePolicy(90.0, 0.25, "hash", ("a",), ("b", "ü"))
    assert StorePolicy.from_environment({POLICY_VARIABLE: policy.as_json()}) == policy


@pytest.mark.parametrize("text", ["{", "[]", '{"inputs": "lose"}', '{"sample": 0}', '{"retention": -1}', '{"x": 1}'])
def test_a_policy_that_is_none_stops_the_server(text: str) -> None:
    with pytest.raises(ServingError, match=POLICY_VARIABLE):
        StorePolicy.from_environment({POLICY_VARIABLE: text})


def test_a_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "store.key"
    key = read_key(path, make=True)
    assert (len(key), path.stat().st_mode & 0o777) == (64, 0o600)
    assert read_key(path, make=True) == key
    path.chmod(0o604)
    with pytest.raises(ServingError, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ServingError, match="5 bytes"):
        read_key(path)
    with pytest.raises(ServingError, match="cannot be used"):
        read_key(tmp_path / "absent")


def test_hashing_asks_for_its_key(tmp_path: Path) -> None:
    policy = StorePolicy(inputs="hash")
    with pytest.raises(ServingError, match=KEY_VARIABLE):
        key_from_environment(policy, {})
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    assert key_from_environment(policy, {KEY_VARIABLE: str(tmp_path / "key")}) == KEY


def test_a_column_that_rows_do_not_have_is_refused() -> None:
    StorePolicy(drop_columns=("name",), hash_columns=("age",)).check(list(ROW))
    with pytest.raises(ServingError, match=r"'nmae'.*name, age, job"):
        StorePolicy(hash_columns=("nmae",)).check(list(ROW))


def test_only_what_is_covered_reaches_the_database(database_url: str) -> None:
    store = PredictionStore(database_url)
    policy = StorePolicy(hash_columns=("name",))
    CoveredStore(store, cover(policy, KEY)).add_predictions([Prediction("p", "desk", "1", 1.0, ROW, {"label": "a"})])
    kept = store.predictions(["p"])["p"].row
    assert kept == cover(policy, KEY)(ROW)
    assert "Anna" not in str(kept)
    store.close()
