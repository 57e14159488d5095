"""Items and answers as JSON: what goes in comes out, and what has no form is named."""

from __future__ import annotations

import datetime
import decimal
import math
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import PluginError
from tuneloop_ray.wire import pack, unpack

texts = st.text(st.characters(exclude_categories=()))
keys = st.none() | st.booleans() | st.integers() | texts | st.just("$tuneloop")
leaves = (
    keys
    | st.floats(allow_nan=False)
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
values = st.recursive(leaves, lambda one: st.lists(one) | st.dictionaries(keys, one), max_leaves=20)


def same(one: Any, other: Any) -> bool:
    """Equal with their types: 1, 1.0 and True are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(*keys) and same(one[keys[0]], other[keys[1]]) for keys in zip(one, other, strict=True)
        )
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


@given(values)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert same(unpack(pack(value)), value)


def test_numbers_that_are_none_and_keys_that_are_numbers() -> None:
    found = unpack(pack({"refused": {3: ("too long", None)}, "answers": [math.nan, math.inf, -0.0]}))
    assert found["refused"] == {3: ["too long", None]}
    assert math.isnan(found["answers"][0])
    assert found["answers"][1] == math.inf
    assert math.copysign(1, found["answers"][2]) == -1


def test_times_with_an_offset() -> None:
    moment = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=-5, minutes=30)))
    assert unpack(pack(moment)).isoformat() == moment.isoformat()


@pytest.mark.parametrize("value", [object(), {1, 2}, 3j, [ValueError("no")]], ids=lambda one: type(one).__name__)
def test_what_has_no_form_is_named(value: Any) -> None:
    with pytest.raises(PluginError, match="cannot travel to another process of a Ray cluster"):
        pack({"row": value})


def test_a_pickle_is_no_value() -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was run",))

    with pytest.raises(ValueError, match=r"Expecting|codec"):
        unpack(pickle.dumps(Harm()))


def test_numpys_single_values_are_pythons() -> None:
    assert same(unpack(pack([np.float32(0.5), np.float64(1.5), np.int64(3), np.bool_(True)])), [0.5, 1.5, 3, True])


def test_exact_decimals_keep_their_zeros() -> None:
    assert unpack(pack(decimal.Decimal("1.10"))).as_tuple() == decimal.Decimal("1.10").as_tuple()
