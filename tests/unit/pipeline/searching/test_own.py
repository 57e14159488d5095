"""A search begins with what the project says, its defaults filled in."""

from __future__ import annotations

import pytest

from tuneloop.config.search import Choice, Search, Span
from tuneloop.pipeline.searching.own import begins, own_values

pytest.importorskip("torch")


def test_the_projects_own_values_are_found_wherever_they_stand(tmp_path, write_project, scope_of):
    project = scope_of(write_project(tmp_path / "income")).project
    paths = ["tune.learning_rate", "tune.batch_size", "tune.strategy", "model.hidden", "export.quantize.mode"]
    search = Search({path: Choice((1,)) for path in [*paths, "tune.head_epochs", "data.transforms[0].name"]})
    assert own_values(project, search) == {
        "tune.learning_rate": 0.01,
        "tune.batch_size": 32,
        "tune.strategy": "full",
        "model.hidden": [16],
        "export.quantize.mode": "int8-dynamic",
    }


def test_it_begins_with_them_only_where_they_may_be_drawn():
    search = Search({"tune.learning_rate": Span(1e-4, 1e-2, log=True), "model.hidden": Choice(([8], [16]))})
    assert begins({"tune.learning_rate": 1e-3, "model.hidden": [16]}, search)
    assert not begins({"tune.learning_rate": 1.0, "model.hidden": [16]}, search)
    assert not begins({"tune.learning_rate": 1e-3, "model.hidden": [9]}, search)
