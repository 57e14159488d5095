import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tuneloop.pipeline.runs.cache import fingerprint, fresh, perform
from tuneloop.pipeline.runs.step import Scope, Step


def make(tmp_path, wanted=1):
    scope = Scope(SimpleNamespace(state=tmp_path, wanted=wanted), None, None)
    calls = []

    def run(context):
        calls.append(context.folder)
        (context.folder / "made").write_text("x")
        return {"answer": 42, "summary": {"answer": 42}}

    return Step("guess", 1, (), lambda scope: {"wanted": scope.project.wanted}, run), scope, calls


def test_an_unchanged_step_is_done_once(tmp_path):
    step, scope, calls = make(tmp_path)
    first, second = perform(step, scope, {}), perform(step, scope, {})
    assert len(calls) == 1
    assert (first.reused, second.reused) == (False, True)
    assert second.output == first.output == {"answer": 42, "summary": {"answer": 42}}
    assert second.summary == {"answer": 42}


def test_other_inputs_code_or_earlier_results_are_another_step(tmp_path):
    step, scope, _ = make(tmp_path)
    _, other, _ = make(tmp_path, wanted=2)
    keys = {
        fingerprint(step, scope, {}),
        fingerprint(step, other, {}),
        fingerprint(replace(step, version=2), scope, {}),
        fingerprint(replace(step, after=("load",)), scope, {"load": SimpleNamespace(fingerprint="a")}),
        fingerprint(replace(step, after=("load",)), scope, {"load": SimpleNamespace(fingerprint="b")}),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("left", [None, "", '{"fingerprint": "ab'])
def test_a_killed_attempt_is_done_again_in_place(tmp_path, left):
    step, scope, calls = make(tmp_path)
    done = perform(step, scope, {})
    if left is None:
        (done.folder / "output.json").unlink()
    else:
        (done.folder / "output.json").write_text(left)
    again = perform(step, scope, {})
    assert not again.reused
    assert calls == [done.folder, done.folder]
    assert json.loads((done.folder / "output.json").read_text())["output"]["answer"] == 42


def test_a_failed_step_leaves_no_result(tmp_path):
    step, scope, _ = make(tmp_path)

    def fail(context):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        perform(replace(step, run=fail), scope, {})
    assert not perform(step, scope, {}).reused


def test_fresh_folders_are_empty(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("x")
    assert list(fresh(tmp_path / "a").iterdir()) == []
