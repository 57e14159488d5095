import itertools
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tuneloop.api import Column, RegistryError, Tensor
from tuneloop.artifact import DataUse, Lineage, Manifest, Parity, Part, Signature, Variant, seal
from tuneloop.registry import CHALLENGER, CHAMPION, PREVIOUS, Entry, Registry

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def manifest():
    return Manifest(
        model="desk",
        task=Part(name="text-classification", state={"labels": ["en", "it"]}),
        preprocessor="text",
        base_model="b",
        strategy="s",
        signature=Signature(
            columns=(Column("message", "text"),),
            inputs=(Tensor("x", "float32", ("batch", 1)),),
            outputs=(Tensor("logits", "float32", ("batch", 2)),),
            output_names=("en", "it"),
        ),
        metrics={"accuracy": 0.9},
        variants={"float32": Variant(bytes=1, metrics={}, served=True, reason="only")},
        parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
        data=DataUse(fingerprint="f", rows={"train": 1}),
        lineage=Lineage(parent=None, pipeline="p"),
        plugins=(),
        libraries={},
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """An empty store: making its tables takes seconds, so they are made once."""
    state = tmp_path_factory.mktemp("template")
    registry = Registry(SimpleNamespace(name="desk", state=state))
    with registry.store.client() as client:
        client.search_experiments()
    return state / "mlflow.db"


@pytest.fixture
def registry(tmp_path, template, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_bytes(template.read_bytes())
    return Registry(SimpleNamespace(name="desk", state=tmp_path), clock=lambda: NOON)


def entry(tmp_path, run, content, passed=True):
    folder = tmp_path / f"made-{content}"
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_text(content)
    report = tmp_path / "report.html"
    report.write_text("<p>report</p>")
    history = ({"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25})
    return Entry(
        run, seal(folder, manifest()), passed, {"seed": 0}, {"test/accuracy": 0.9}, history=history, report=report
    )


def test_a_registered_version_comes_back_verified(registry, tmp_path):
    given = entry(tmp_path, "run-1", "a")
    version = registry.register(given)
    assert (version.number, version.gate, version.run, version.aliases) == ("1", "passed", "run-1", (CHALLENGER,))
    assert version.metrics["test/accuracy"] == 0.9
    fetched = registry.fetch("1")
    assert fetched.sha256 == given.artifact.sha256
    assert fetched.folder != given.artifact.folder


def test_names_that_the_store_does_not_take_are_written_otherwise(registry, tmp_path):
    given = replace(
        entry(tmp_path, "run-1", "a"), params={"found.data.transforms[2].noise": 0.1}, metrics={"test/f1 (ä, %)": 0.5}
    )
    version = registry.register(given)
    assert version.metrics["test/f1 _ä_ __"] == 0.5
    with registry.store.client() as client:
        runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert [run.data.params["found.data.transforms.2.noise"] for run in runs] == ["0.1"]


def test_registering_again_after_a_kill_gives_the_same_version(registry, tmp_path):
    first, second = registry.register(entry(tmp_path, "run-1", "a")), registry.register(entry(tmp_path, "run-1", "a"))
    assert first == second
    assert len(registry.versions()) == 1
    with registry.store.client() as client:
        experiment = client.get_experiment_by_name("desk").experiment_id
        assert len(client.search_runs([experiment])) == 1
        history = client.get_metric_history(client.search_runs([experiment])[0].info.run_id, "epoch/loss")
    assert [point.value for point in history] == [0.5, 0.25]


def test_an_equal_artifact_of_another_run_is_no_new_version(registry, tmp_path):
    registry.register(entry(tmp_path, "run-1", "a"))
    assert registry.register(entry(tmp_path, "run-2", "a")).number == "1"
    assert registry.register(entry(tmp_path, "run-3", "b")).number == "2"


def test_promote_and_roll_back_keep_who_when_and_why(registry, tmp_path):
    for run, content in (("run-1", "a"), ("run-2", "b")):
        registry.register(entry(tmp_path, run, content))
    registry.promote("1", "ada", "first")
    registry.promote(CHALLENGER, "bob", "better")
    assert [(v.number, v.aliases) for v in registry.versions()] == [("2", (CHAMPION,)), ("1", (PREVIOUS,))]
    move = registry.rollback("eve", "worse on Mondays")
    assert (move.version, move.previous, move.when) == ("1", "2", "2026-11-21T12:00:00Z")
    assert registry.resolve(CHAMPION).number == "1"
    assert registry.resolve(PREVIOUS).number == "2"
    assert [(m.kind, m.version, m.who, m.why) for m in registry.history()] == [
        ("promote", "1", "ada", "first"),
        ("promote", "2", "bob", "better"),
        ("rollback", "1", "eve", "worse on Mondays"),
    ]


def test_a_refused_version_gets_no_alias(registry, tmp_path):
    version = registry.register(entry(tmp_path, "run-1", "a", passed=False))
    assert (version.gate, version.aliases) == ("refused", ())


def test_attempts_at_a_champion_are_counted_and_looking_twice_is_none(registry, tmp_path):
    champion, other = "c" * 64, "d" * 64
    assert registry.attempt(champion, "x") == 1
    for number, content in enumerate(("a", "b", "c"), 1):
        made = entry(tmp_path, f"run-{number}", content, passed=False)
        assert registry.attempt(champion, made.artifact.sha256) == number
        registry.register(replace(made, against=(champion, number)))
    assert registry.attempt(champion, "x") == 4
    assert registry.attempt(other, "x") == 1
    # The second again: judged under the number it had, and against another champion under a first one.
    again = entry(tmp_path, "run-4", "b", passed=False)
    assert registry.attempt(champion, again.artifact.sha256) == 2
    registry.register(replace(again, against=(other, 1)))
    assert registry.attempt(champion, again.artifact.sha256) == 2
    assert (registry.attempt(other, "x"), registry.attempt(champion, "x")) == (2, 4)


def test_what_is_not_there_is_named_with_what_is(registry, tmp_path):
    with pytest.raises(RegistryError, match="tuneloop run"):
        registry.resolve("1")
    with pytest.raises(RegistryError, match="no previous"):
        registry.rollback("ada", "why")
    registry.register(entry(tmp_path, "run-1", "a"))
    with pytest.raises(RegistryError, match=r"'7'; known: 1, challenger"):
        registry.resolve("7")
    registry.promote("1", "ada", "first")
    with pytest.raises(RegistryError, match="already"):
        registry.promote("1", "ada", "again")


def test_changed_files_are_refused(registry, tmp_path):
    registry.register(entry(tmp_path, "run-1", "a"))
    path = registry.fetch("1").model
    path.write_text("evil")
    with pytest.raises(Exception, match=r"model\.onnx"):
        registry.fetch("1")


class Killed(BaseException):
    """As SIGKILL between two calls of the client: nothing that handles errors runs."""


CHANGES = ("create_", "log_", "set_", "delete_")


@contextmanager
def killed_after(registry, calls):
    """Nothing comes after so many changes; gives a list that is filled when the end was reached."""
    reached = []
    with registry.store.client() as client:
        real = client.__class__

    class Mortal(real):
        def __getattribute__(self, name):
            if name.startswith(CHANGES):
                if len(reached) == calls:
                    raise Killed
                reached.append(name)
            return super().__getattribute__(name)

    client.__class__ = Mortal
    try:
        yield reached
    except Killed:
        reached.append("killed")
    finally:
        client.__class__ = real


def fresh(registry, tmp_path, template, number):
    """The registry of another place, as it is before anything is registered."""
    state = tmp_path / f"state-{number}"
    state.mkdir()
    (state / "mlflow.db").write_bytes(template.read_bytes())
    return Registry(SimpleNamespace(name="desk", state=state), clock=lambda: NOON)


def mlflow_runs(registry):
    with registry.store.client() as client:
        experiment = client.get_experiment_by_name("desk").experiment_id
        return [(run.info.status, run.data.tags["tuneloop.sha256"]) for run in client.search_runs([experiment])]


@pytest.mark.parametrize("content", ["a", "b"], ids=["the same files", "other files of another host"])
def test_a_registration_cut_off_anywhere_leaves_no_half_and_is_completed(registry, tmp_path, template, content):
    champion = "c" * 64
    first, again = (replace(entry(tmp_path, "run-1", one), against=(champion, 1)) for one in ("a", content))
    for calls in itertools.count():
        here = fresh(registry, tmp_path, template, calls)
        with killed_after(here, calls) as reached:
            here.register(first)
        # What is there by then is whole: its files, its gate, its attempt.
        for version in here.versions():
            assert (version.gate, version.run, here.fetch(version.number).sha256) == ("passed", "run-1", version.sha256)
            assert here.attempt(champion, first.artifact.sha256) == 1
        version = here.register(again)
        assert version.aliases == (CHALLENGER,)
        assert here.fetch(version.number).sha256 == again.artifact.sha256
        assert here.attempt(champion, again.artifact.sha256) == 1
        assert {status for status, _ in mlflow_runs(here)} == {"FINISHED"}
        if reached[-1] != "killed":
            break
        # Only where the first attempt came to its version is there more than one record.
        whole = {first.artifact.sha256, again.artifact.sha256} if len(here.versions()) == 2 else {again.artifact.sha256}
        assert sorted(mlflow_runs(here)) == sorted(("FINISHED", sha256) for sha256 in whole)
    assert calls > 8


def test_a_move_cut_off_anywhere_is_made_once(registry, tmp_path):
    for content in "ab":
        registry.register(entry(tmp_path, f"run-{content}", content))
    registry.promote("1", "ada", "first")
    for calls in itertools.count():
        here = fresh(registry, tmp_path, tmp_path / "mlflow.db", calls)
        with killed_after(here, calls) as reached:
            here.promote("2", "bob", "better")
        if here.resolve(CHAMPION).number != "2":
            here.promote("2", "bob", "better")
        assert (here.resolve(CHAMPION).aliases, here.resolve(PREVIOUS).number) == ((CHAMPION,), "1")
        with killed_after(here, calls):
            here.rollback("eve", "worse")
        if here.resolve(CHAMPION).number != "1":
            here.rollback("eve", "worse")
        assert here.resolve(CHAMPION).number == "1"
        assert [(move.kind, move.version) for move in here.history()] == [
            ("promote", "1"),
            ("promote", "2"),
            ("rollback", "1"),
        ]
        if reached[-1] != "killed":
            break
    assert calls > 3


def test_what_a_run_made_is_found_by_it(registry, tmp_path):
    assert registry.made_by("run-1") is None
    registry.register(entry(tmp_path, "run-1", "a", passed=False))
    found = registry.made_by("run-1")
    assert (found.number, found.gate) == ("1", "refused")
