from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.serving.versions.split import Split, key_of

SALT = "ab" * 32
values = st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers()))


@given(st.text(), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_larger_share_keeps_the_keys_of_a_smaller_one(key: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert not Split(SALT, small).holds(key) or Split(SALT, large).takes([], key)


@given(values, st.floats(0.001, 1))
def test_equal_values_always_ask_the_same_version(value: Any, share: float) -> None:
    split = Split(SALT, share, "user")
    assert split.takes([{"user": value}]) == split.takes([{"user": value}]) == split.takes([{"user": value, "x": 1}])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_kept(share: float) -> None:
    split = Split(SALT, share, "user")
    for taken in (
        sum(split.takes([{"user": f"user {i}"}]) for i in range(20_000)),
        sum(Split(SALT, share).takes([{}]) for _ in range(20_000)),
    ):
        # Six standard deviations of a binomial count.
        assert abs(taken - 20_000 * share) < 6 * (20_000 * share * (1 - share)) ** 0.5
    assert Split(SALT, 1.0, "user").takes([{"user": "anybody"}])


def test_a_number_is_one_key_however_it_is_written() -> None:
    split = Split(SALT, 0.5, "user")
    assert all(split.takes([{"user": i}]) == split.takes([{"user": float(i)}]) for i in range(200))


def test_the_header_comes_before_the_column() -> None:
    split = Split(SALT, 0.3, "user")
    for i in range(200):
        assert split.takes([{"user": f"{i}"}], "fixed") == split.holds("fixed")
    assert key_of([(b"host", b"x"), (b"x-tuneloop-key", b"anna")]) == "anna"
    assert key_of([(b"host", b"x")]) is None


def test_a_key_of_the_champion_never_meets_the_challenger_in_a_larger_request() -> None:
    split = Split(SALT, 0.5, "user")
    mine = next(str(i) for i in range(100) if split.holds(str(i)))
    other = next(str(i) for i in range(100) if not split.holds(str(i)))
    assert split.takes([{"user": mine}, {"user": mine}])
    assert not split.takes([{"user": mine}, {"user": other}])


def test_another_challenger_meets_other_keys() -> None:
    keys = [str(i) for i in range(1000)]
    one, two = (Split(salt, 0.2) for salt in (SALT, "cd" * 32))
    assert {key for key in keys if one.holds(key)} != {key for key in keys if two.holds(key)}


def test_another_process_decides_alike() -> None:
    code = (
        "from tuneloop.serving.versions.split import Split\n"
        f"print([int(Split({SALT!r}, 0.3, 'user').takes([{{'user': str(i)}}])) for i in range(200)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=900)
    split = Split(SALT, 0.3, "user")
    assert done.stdout.strip() == str([int(split.takes([{"user": str(i)}])) for i in range(200)])
