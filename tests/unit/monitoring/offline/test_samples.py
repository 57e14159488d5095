from __future__ import annotations

import numpy as np

from tuneloop.monitoring.offline.samples import Sample, as_objects, count, make_bins


def test_a_text_is_measured_by_its_length() -> None:
    measured = Sample("message", "text", as_objects(["ab", None]), as_objects(["abcd"])).measured()
    assert (measured.label, measured.kind) == ("message (length)", "number")
    np.testing.assert_array_equal(measured.reference, [2, np.nan])
    np.testing.assert_array_equal(measured.current, [4])


def test_numbers_and_categories_are_measured_as_they_are() -> None:
    sample = Sample("x", "number", np.zeros(2), np.ones(2))
    assert sample.measured() is sample


def test_rare_categories_share_a_bin() -> None:
    values = as_objects(["a"] * 20 + [f"b{place}" for place in range(10)] + [None])
    bins = make_bins("x", "category", values)
    assert bins.names == ("a", "unseen", "missing")
    assert count(bins, as_objects(["a", "c", None])).tolist() == [1, 1, 1]


def test_missing_numbers_have_their_bin() -> None:
    bins = make_bins("x", "number", np.arange(100.0))
    assert count(bins, np.array([np.nan, -1.0, 1e9]))[[0, -2, -1]].tolist() == [1, 1, 1]
