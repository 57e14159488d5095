"""`tuneloop challenge` on a real registry and channel file, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tuneloop.api import Column
from tuneloop.artifact import DataUse, Lineage, Manifest, Parity, Part, Signature, seal
from tuneloop.cli.main import main
from tuneloop.registry import Entry, Registry
from tuneloop.serving.versions.channel import Channel, read_channel

PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {label: label}, split: {key: id}}
model: {base: tabular-mlp}
tune: {strategy: full}
export: {format: onnx}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three registered versions, of which the first is the champion."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "tuneloop.yaml").write_text(PROJECT)
    (folder / "rows.csv").write_text("id,age,label\n1,30,low\n2,40,high\n")
    registry = Registry(SimpleNamespace(name="desk", state=folder / ".tuneloop"))
    for number in (1, 2, 3):
        made = folder / f"made-{number}"
        made.mkdir()
        (made / "model.onnx").write_text(str(number))
        signature = Signature(columns=(Column("age", "number"),), inputs=(), outputs=(), output_names=())
        manifest = Manifest(
            model="desk",
            task=Part(name="tabular-classification"),
            preprocessor="tabular",
            base_model="tabular-mlp",
            strategy="full",
            signature=signature,
            metrics={},
            variants={},
            parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
            data=DataUse(fingerprint="f", rows={}),
            lineage=Lineage(parent=None, pipeline="p"),
            plugins=(),
            libraries={},
        )
        registry.register(Entry(f"run-{number}", seal(made, manifest), True))
    return folder


@pytest.fixture
def run(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    for name in ("MLFLOW_TRACKING_URI", "TUNELOOP_CHANNEL", "TUNELOOP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(desk)

    def do(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return do


def channel(desk: Path) -> Channel:
    return read_channel(str(desk / ".tuneloop" / "channel.json"))


def test_a_version_is_tried_shown_recorded_and_ends_with_the_promotion(desk: Path, run: Run) -> None:
    assert run("promote", "1", "--why", "first")[0] == 0
    code, out, _ = run("challenge", "2", "--shadow", "--why", "looks good", "--who", "ada")
    assert (code, out) == (0, "version 2 of desk is tried beside the champion 1, in the shadow\n")
    found = channel(desk)
    assert found.challenger is not None
    assert (found.champion.version, found.challenger.version, found.challenger.mode) == ("1", "2", "shadow")
    assert "shadow" in run("models")[1]

    code, out, _ = run("challenge", "3", "--canary", "0.1", "--by", "age", "--why", "better", "--who", "bob")
    assert (code, out) == (0, "version 3 of desk is tried beside the champion 1, as a canary for 0.1 of the requests\n")
    tried = channel(desk).challenger
    assert tried is not None
    assert (tried.version, tried.mode, tried.share, tried.by) == ("3", "canary", 0.1, "age")
    versions = {item["number"]: item for item in json.loads(run("models", "--json")[1])}
    assert {number: item["tried"] for number, item in versions.items()} == {
        "1": None,
        "2": None,
        "3": "canary 0.1 by age",
    }
    assert versions["3"]["aliases"] == ["challenger"]

    # Publishing the same champion again, as `tuneloop serve` does, ends no trial.
    from tuneloop.config import load_project
    from tuneloop.pipeline import publish
    from tuneloop.plugins import default_manager

    project = load_project(desk / "tuneloop.yaml", default_manager())
    publish(project, Registry(project))
    assert channel(desk).challenger == tried

    assert run("promote", "challenger", "--why", "it is", "--who", "ada")[0] == 0
    assert (channel(desk).champion.version, channel(desk).challenger) == ("3", None)
    assert run("challenge", "1", "--canary", "1", "--why", "old", "--who", "ada")[0] == 0
    assert run("challenge", "--stop", "--why", "enough", "--who", "eve")[1].startswith("version 1 of desk is not tried")
    assert channel(desk).challenger is None
    assert run("challenge", "2", "--shadow", "--why", "again", "--who", "ada")[0] == 0
    assert run("rollback", "--why", "worse", "--who", "bob")[0] == 0
    assert (channel(desk).champion.version, channel(desk).challenger) == ("1", None)
    moves = [(m["kind"], m["version"], m["previous"], m["who"], m["why"]) for m in history(run)]
    assert moves[1:] == [
        ("shadow", "2", "1", "ada", "looks good"),
        ("canary", "3", "1", "bob", "better"),
        ("promote", "3", "1", "ada", "it is"),
        ("canary", "1", "3", "ada", "old"),
        ("stop", "1", "3", "eve", "enough"),
        ("shadow", "2", "3", "ada", "again"),
        ("rollback", "1", "3", "bob", "worse"),
    ]


def history(run: Run) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(run("models", "--history", "--json")[1])
    return found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2"], "say one of --shadow, --canary SHARE and --stop"),
        (["2", "--shadow", "--canary", "0.1"], "say one of --shadow"),
        (["--shadow"], "say which VERSION to try"),
        (["2", "--stop"], "--stop takes no VERSION"),
        (["2", "--canary", "0"], "0"),
        (["2", "--canary", "1.5"], "1.5"),
        (["2", "--shadow", "--by", "age"], "needs --canary"),
        (["9", "--shadow"], "has no version '9'"),
        (["1", "--shadow"], "is the champion; try another one beside it"),
        (["2", "--canary", "0.1", "--by", "shoe size"], "no column 'shoe size'"),
        (["--stop"], "no version of 'desk' is tried beside the champion"),
    ],
)
def test_what_cannot_be_tried_is_one_message(run: Run, arguments: list[str], said: str) -> None:
    run("promote", "1", "--why", "first")
    code, _, err = run("challenge", *arguments, "--why", "a test")
    assert code == 2
    assert said in err
    assert "Traceback" not in err
