from __future__ import annotations

import pytest
from datasets import Dataset

from tuneloop.api import Columns, RequestError, RowTransform
from tuneloop.preprocessing import TabularPreprocessor
from tuneloop.preprocessing.changing import ChangingPreprocessor


class Lower(RowTransform):
    """Jobs in lower case; one of them is not taken."""

    name = "lower"

    def change(self, row):
        if row["job"] == "SPY":
            raise RequestError("is secret", field="job")
        return {**row, "job": row["job"].lower() if row["job"] else None}


@pytest.fixture
def inner():
    rows = Dataset.from_dict({"age": [1.0, 3.0], "job": ["pilot", "cook"], "pay": [1.0, 2.0]})
    return TabularPreprocessor.fit({}, Columns({"age": "age", "job": "job"}, target="pay"), rows)


def test_requests_are_changed_as_training_rows_were(inner):
    found = ChangingPreprocessor(inner, [Lower()])
    assert (found.columns, found.tensors, found.longest, found.name) == (
        inner.columns,
        inner.tensors,
        inner.longest,
        "tabular",
    )
    checked = found.check([{"age": 2, "job": "PILOT"}, {"age": None, "job": None}])
    assert checked == inner.check([{"age": 2, "job": "pilot"}, {"age": None, "job": None}])
    ours, plain = (one.encode(checked) for one in (found, inner))
    assert [group.inputs["categorical"].tolist() for group in ours] == [
        group.inputs["categorical"].tolist() for group in plain
    ]


def test_a_refusal_names_the_row(inner):
    found = ChangingPreprocessor(inner, [Lower()])
    with pytest.raises(RequestError, match=r"row 1, field 'job': is secret"):
        found.check([{"age": 2, "job": "cook"}, {"age": 2, "job": "SPY"}])
    with pytest.raises(RequestError, match=r"row 0, field 'age'"):
        found.check([{"age": "old", "job": "cook"}])


def test_it_is_kept_as_what_is_inside(inner, tmp_path):
    found = ChangingPreprocessor(inner, [Lower()])
    found.save(tmp_path)
    assert TabularPreprocessor.load(tmp_path).columns == inner.columns
    for make in (lambda: type(found).load(tmp_path), lambda: type(found).fit({}, None, None)):
        with pytest.raises(TypeError, match="made around"):
            make()
