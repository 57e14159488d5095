"""Real runs of a small table project, in this process."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tuneloop import __version__
from tuneloop.api import DataError, RunError
from tuneloop.artifact import REFERENCE, Artifact
from tuneloop.cli.accuracy import accuracy
from tuneloop.cli.predict_model import open_model
from tuneloop.cli.run import runs
from tuneloop.config import load_project
from tuneloop.monitoring.reference import Reference
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.pipeline import (
    channel_path,
    list_runs,
    project_changed,
    promote,
    prune_steps,
    resume_run,
    rollback,
    run_pipeline,
)
from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.pipeline.promoting.promotion import publish
from tuneloop.pipeline.runs.workflow import STEPS
from tuneloop.plugins import default_manager
from tuneloop.registry import CHAMPION, Registry
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.trust.signature import SignatureError, Verifier
from tuneloop.serving.versions.channel import read_channel
from tuneloop.serving.versions.examples import answer_each, first_difference, read_examples

pytest.importorskip("dbos")
pytest.importorskip("torch")

CARD = """\
card: {use: Sorts made-up people., not_for: real people, limits: Pilots are few., license: MIT,
  data_license: CC0-1.0, data_source: a generator, consent: nobody is asked, contact: desk@example.org}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_project):
    folder = write_project(tmp_path_factory.mktemp("run") / "income", epochs=6)
    with (folder / "tuneloop.yaml").open("a") as file:
        file.write(CARD)
    return load_project(folder, default_manager())


@pytest.fixture(scope="module")
def first(project):
    seen = []
    return run_pipeline(project, default_manager(), who="ada", listen=seen.append), seen


def test_the_first_version_that_passes_is_the_champion_and_in_the_channel(project, first):
    result, seen = first
    assert (result.state, result.promoted, result.version) == ("passed", True, "1")
    assert [event.step for event in seen if event.kind == "finished"] == [step.name for step in STEPS]
    assert sum(event.kind == "record" for event in seen) == 6
    assert result.report.read_text().startswith("<!doctype html>")
    assert read_channel(str(channel_path(project))).champion.sha256 == result.sha256
    (record,) = list_runs(project.state)
    assert (record.state, record.request.who) == ("passed", "ada")


def test_manifest_and_mlflow_name_every_plugin_with_its_version(project, first):
    from mlflow import MlflowClient

    uses = Artifact.open(first[0].artifact).manifest.plugins
    assert {use.distribution: use.version for use in uses} == {"tuneloop": __version__}
    assert {"files", "tabular", "torch", "onnx", "torchmetrics", "core-tasks"} <= set(uses[0].names)
    client = MlflowClient(Registry(project).uri)
    (found,) = client.search_runs([client.get_experiment_by_name(project.name).experiment_id])
    assert found.data.params["plugin.tuneloop"] == __version__


def test_the_artifact_is_whole_and_answers_its_examples(project, first):
    artifact = Artifact.open(first[0].artifact)
    assert artifact.sha256 == first[0].sha256
    rows, answers = read_examples(artifact.folder)
    found = answer_each(Predictor.open(artifact, default_manager()), rows)
    assert first_difference(answers, found) is None
    assert {variant for variant, entry in artifact.manifest.variants.items()} == {"float32", "int8-dynamic"}
    assert sum(entry.served for entry in artifact.manifest.variants.values()) == 1


def test_the_reference_holds_slices_and_what_scores_are_worth(project, first):
    reference = Reference.load(Artifact.open(first[0].artifact).folder / REFERENCE)
    assert reference.slices == ("column:job", "confidence")
    assert reference.calibration is not None
    assert reference.calibration.classes == ("high", "low")


def test_figures_have_intervals_in_manifest_record_and_mlflow(project, first):
    from mlflow import MlflowClient

    manifest = Artifact.open(first[0].artifact).manifest
    assert set(manifest.intervals) == set(manifest.metrics) == {"macro_f1", "accuracy"}
    low, high = manifest.intervals["accuracy"]
    assert low < manifest.metrics["accuracy"] < high
    (record,) = json.loads(CliRunner().invoke(runs, ["-p", str(project.root), "--json"]).stdout)
    assert record["figures"]["test"]["accuracy"] == {
        "value": pytest.approx(manifest.metrics["accuracy"]),
        "low": low,
        "high": high,
    }
    assert set(record["figures"]) == {"test", "golden"}
    client = MlflowClient(Registry(project).uri)
    (found,) = client.search_runs([client.get_experiment_by_name(project.name).experiment_id])
    assert found.data.metrics["test/accuracy_low"] == pytest.approx(low)
    assert {item.path for item in client.list_artifacts(found.info.run_id)} >= {"card.md", "evaluation", "report.html"}


def test_the_temperature_of_the_manifest_is_that_of_every_answer(project, first):
    artifact = Artifact.open(first[0].artifact)
    served = Predictor.open(artifact, default_manager())
    assert artifact.manifest.temperature.value == served.temperature
    rows, _ = read_examples(artifact.folder)
    plain = Predictor(artifact.model, served.task, served.preprocessor)
    cooled = Predictor(artifact.model, served.task, served.preprocessor, temperature=3.0)
    before, after = plain.predict(rows).answers, cooled.predict(rows).answers
    assert [one["label"] for one in before] == [one["label"] for one in after]
    assert all(one["confidence"] > other["confidence"] for one, other in zip(before, after, strict=True))


def test_the_card_and_the_error_lists_lie_beside_the_report(project, first):
    folder = first[0].report.parent
    assert (folder / "card.md").read_text().startswith((first[0].artifact / "card.md").read_text())
    card = (folder / "card.md").read_text()
    manifest = Artifact.open(first[0].artifact).manifest
    low, high = manifest.intervals["accuracy"]
    for said in (
        "## Use\nSorts made-up people.\n",
        "Not meant for: real people\nLicence of the model: MIT. Contact: desk@example.org.\n",
        "Source: a generator. Licence: CC0-1.0.\nConsent and grounds: nobody is asked.\n",
        "| accuracy | more |",
        f"| {manifest.metrics['accuracy']:.4f} | {low:.4f} to {high:.4f} |\n",
        "\nPilots are few.\n",
        f"## Lineage\nParent: none. Pipeline: `{manifest.lineage.pipeline}`.\nPlugins: tuneloop {__version__}.",
    ):
        assert said in card
    assert "not stated" not in card
    # A card that told times and places would be another one for an equal run.
    assert first[0].run in card
    assert first[0].run not in (first[0].artifact / "card.md").read_text()
    found = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    assert found["mistakes"]
    lines = (project.root / "people.csv").read_text().splitlines()[1:]
    for one in found["mistakes"]:
        # The place in the data is that of the row that is shown.
        assert lines[one["row"]].split(",")[2:4] == [one["shown"]["hours"], one["shown"]["job"]]
        assert lines[one["row"]].split(",")[4] == one["right"]
    page = first[0].report.read_text()
    for said in ("Calibration", "Weakest slices", "Surest mistakes", "linear probe"):
        assert said in page


def test_the_card_tells_the_energy_of_the_training(first):
    pytest.importorskip("codecarbon")
    card = (first[0].report.parent / "card.md").read_text()
    used = re.search(r"Energy of training: (\S+) kWh in \d+ s on .*; CO2 not known: name the country in card", card)
    assert used is not None, card
    assert float(used[1]) > 0


def test_accuracy_reads_the_projects_store_and_judges_by_its_versions(project, first):
    store = PredictionStore(f"sqlite:///{project.state}/predictions.db", clock=lambda: 200.0)
    row = {"age": 30, "hours": 20.0, "job": "cook"}
    answer = {"label": "low", "confidence": 0.9, "scores": {"high": 0.1, "low": 0.9}}
    # Version 99 was never registered here: it is judged as the champion is.
    versions = {first[0].version: 8, "99": 4}
    for version, right in versions.items():
        store.add_predictions([Prediction(f"{version}-{n}", "income", version, 100.0, row, answer) for n in range(10)])
        store.add_labels([(f"{version}-{n}", "low" if n < right else "high") for n in range(10)])
    store.close()
    done = CliRunner().invoke(accuracy, ["-p", str(project.root), "--json", "--estimate", "--by", "window"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    whole = {one["version"]: one for one in found["figures"] if not one["window"] and not one["slice"]}
    assert {version: one["scores"]["accuracy"]["value"] for version, one in whole.items()} == {
        version: right / 10 for version, right in versions.items()
    }
    assert all(0 < one["estimate"]["accuracy"] <= 1 for one in whole.values())
    assert {one["slice"]["name"] for one in found["figures"] if one["slice"]} == {"column:job", "confidence"}
    assert [(one["champion"], one["challenger"]) for one in found["comparisons"]] == [(first[0].version, "99")]


def test_tuning_beats_the_most_frequent_answer(project, first):
    baseline = json.loads(next((project.state / "steps").glob("baseline-*/output.json")).read_text())["output"]
    assert first[0].metrics["test"]["macro_f1"] > baseline["constant"]["macro_f1"] + 0.2


def test_an_unchanged_project_is_not_done_again(project, first):
    seen = []
    again = run_pipeline(project, default_manager(), listen=seen.append)
    assert (again.sha256, again.version) == (first[0].sha256, "1")
    done = {event.step for event in seen if event.kind == "finished" and event.reused}
    assert done >= {"load", "check", "split", "baseline", "tune", "evaluate", "export", "verify", "profile"}


def test_the_same_run_id_is_the_same_run(project, first):
    seen = []
    again = run_pipeline(project, default_manager(), run_id=first[0].run, listen=seen.append)
    assert again == first[0]
    assert seen == []


def test_a_finished_run_cannot_be_resumed(project, first):
    with pytest.raises(RunError, match="finished"):
        resume_run(project, default_manager(), first[0].run)
    with pytest.raises(RunError, match="no unfinished run"):
        resume_run(project, default_manager())


def test_feedback_makes_a_challenger_that_is_promoted_and_rolled_back(project, first, tmp_path):
    path = tmp_path / "feedback.jsonl"
    rows = [
        {"key": str(i), "row": {"age": 20 + i % 60, "hours": 0.5 + i / 7, "job": "astronaut"}, "label": "high"}
        for i in range(200)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run_pipeline(project, default_manager(), feedback=path)
    assert (result.state, result.promoted, result.version) == ("passed", False, "2")
    assert result.metrics["feedback_test"]["accuracy"] > 0.9
    move = promote(project, default_manager(), "challenger", who="ada", why="new jobs")
    assert (move.version, move.previous) == ("2", "1")
    assert read_channel(str(channel_path(project))).champion.version == "2"
    rollback(project, default_manager(), who="bob", why="a test")
    assert Registry(project).resolve(CHAMPION).number == "1"
    assert read_channel(str(channel_path(project))).champion.version == "1"


def test_a_refusal_is_a_result_with_reasons(project, first):
    strict = replace(project, gate=replace(project.gate, require={"macro_f1": 0.9999}))
    result = run_pipeline(strict, default_manager())
    assert (result.state, result.bento, result.promoted) == ("refused", None, False)
    assert "must be at least 0.9999" in result.reasons[0]
    assert Registry(project).resolve(CHAMPION).number == "1"


def test_with_a_key_bento_and_channel_are_signed(project, first, tmp_path, monkeypatch):
    private, public = tmp_path / "sign.pem", tmp_path / "verify.pem"
    key = Ed25519PrivateKey.generate()
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert read_channel(str(channel_path(project))).champion.signature is None
    monkeypatch.setenv("TUNELOOP_SIGN_KEY_FILE", str(private))
    # An equal artifact is the same version; its Bento is built anew, and signed.
    result = run_pipeline(project, default_manager())
    Verifier(public).check_bento(
        bento_folder(bento_home(project.state), result.bento), model=project.name, version=result.version
    )
    channel = publish(project, Registry(project))
    assert channel == read_channel(str(channel_path(project)))
    envelope = channel.champion.signature.encode()
    Verifier(public).check_model(envelope, result.sha256, model=project.name, version=result.version)
    # Batch scoring takes what a server would take, and nothing else.
    monkeypatch.setenv("TUNELOOP_VERIFY_KEY_FILE", str(public))
    assert open_model(project.name, project.root, "cpu").version == result.version
    with pytest.raises(SignatureError, match="is not signed"):
        open_model("previous", project.root, "cpu")


def test_pruned_steps_are_missed_by_nobody(project, first):
    steps = project.state / "steps"
    before = {path.name for path in steps.iterdir()}
    tuned = [json.loads((record.folder / "steps.json").read_text())["tune"] for record in list_runs(project.state)]
    done = prune_steps(project, keep=0)
    after = {path.name for path in steps.iterdir()}
    assert done.folders == len(before - after) > 0
    # What made the champion and the previous one stays; the gate that refused does not.
    assert {name for (name,) in tuned} <= after
    registry = Registry(project)
    assert all(registry.fetch(version.number).sha256 == version.sha256 for version in registry.versions())
    publish(project, registry)
    seen = []
    run_pipeline(project, default_manager(), listen=seen.append)
    assert {event.step for event in seen if event.kind == "finished" and event.reused} >= {"load", "tune", "profile"}


def test_a_failed_run_goes_on_after_the_cause_is_gone(tmp_path, write_project):
    folder = write_project(tmp_path / "income", epochs=1, wanted=0.1)
    data = folder / "people.csv"
    content = data.read_bytes()
    data.write_bytes(content.replace(b",high", b",low"))
    plugins = default_manager()
    project = load_project(folder, plugins)
    with pytest.raises(DataError, match="only the label 'low'") as caught:
        run_pipeline(project, plugins)
    (record,) = list_runs(project.state)
    assert (record.state, record.status.step) == ("failed", "check")
    (note,) = caught.value.__notes__
    assert note.endswith(f"tuneloop run --resume {record.request.run}")
    data.write_bytes(content)
    (folder / "tuneloop.yaml").write_text((folder / "tuneloop.yaml").read_text() + "# edited\n")
    edited = load_project(folder, plugins)
    assert project_changed(edited)
    result = resume_run(edited, plugins)
    assert (result.run, result.state) == (record.request.run, "passed")
