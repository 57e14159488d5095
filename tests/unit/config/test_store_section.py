from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.monitoring.store_policy import KEEP_ALL, StorePolicy

PROJECT = """\
name: desk
task: tabular-classification
data: {{source: csv, path: rows.csv, columns: {columns}}}
model: {{base: mlp}}
tune: {{strategy: full}}
store: {{{store}}}
"""
SOME = "{inputs: [age, job], target: income}"


def test_everything_is_kept_where_nothing_is_said(parse: Any) -> None:
    assert parse(PROJECT.format(columns="{target: income}", store="")).store == KEEP_ALL


def test_everything_can_be_asked_for(parse: Any) -> None:
    store = "retention: 90d, sample: 0.25, inputs: hash, drop_columns: [age, age], hash_columns: [job], required: true"
    project = parse(PROJECT.format(columns="{target: income}", store=store))
    assert project.store == StorePolicy(90 * 86400.0, 0.25, "hash", ("age",), ("job",), required=True)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("retention: 90", "store.retention"),
        ("sample: 0", "store.sample"),
        ("sample: 1.5", "store.sample"),
        ("inputs: lose", "store.inputs"),
        ("drop_columns: [a], hash_columns: [a]", "in both: a"),
    ],
)
def test_what_means_nothing_is_told(parse: Any, store: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(PROJECT.format(columns="{target: income}", store=store))
