"""What the model card calls things, whatever the task is."""

from types import SimpleNamespace

import pytest

from tuneloop.pipeline.documents.card import _chosen, card_facts
from tuneloop.pipeline.runs.step import StepContext

PROJECT = """\
name: desk
task: {task}
data: {{source: jsonl, path: rows.jsonl, columns: {columns}}}
model: {model}
tune: {{strategy: full}}
"""
TEXT, SOUND = "{text: message, label: language}", "{audio: sound, label: said}"


@pytest.mark.parametrize(
    ("task", "columns", "model", "checkpoint", "answers", "before"),
    [
        (
            "text-classification", TEXT, "{base: transformers, checkpoint: models/minilm}",
            ("models/minilm",), None, "linear probe",
        ),
        (
            "text-regression", TEXT, "{base: transformers, checkpoint: owner/model, revision: v1}",
            ("owner/model", "v1"), "a number", "linear probe",
        ),
        ("text-generation", TEXT, "{base: causal-lm, checkpoint: /a/b/gpt}", ("gpt",), "a text", "untuned model"),
        ("translation", TEXT, "{base: seq2seq-small}", (), "a text", "untuned model"),
        (
            "automatic-speech-recognition", SOUND, "{base: ctc, checkpoint: w2v}",
            ("w2v",), "a text", "untuned model",
        ),
        (
            "automatic-speech-recognition", SOUND, "{base: speech-seq2seq, checkpoint: whisper}",
            ("whisper",), "a text", "untuned model",
        ),
        (
            "token-classification", "{tokens: words, label: tags}", "{base: transformers-tokens, checkpoint: gpt}",
            ("gpt",), None, "linear probe",
        ),
    ],
)  # fmt: skip
def test_base_model_answers_and_baseline_are_called_what_they_are(
    tmp_path, scope_of, task, columns, model, checkpoint, answers, before
):
    (tmp_path / "tuneloop.yaml").write_text(PROJECT.format(task=task, columns=columns, model=model))
    found = {"findings": [], "constant": {}, "probe": {}, "augmented": 0}
    done = {name: SimpleNamespace(output=found) for name in ("load", "check", "split", "baseline")}
    facts = card_facts(StepContext(scope_of(tmp_path), tmp_path, done), {})
    assert (facts.checkpoint, facts.answers, facts.before) == (checkpoint, answers, before)
    assert facts.changes == ""


def test_what_was_chosen_is_told_without_its_place_on_the_machine():
    chosen = {"model": {"base": "transformers", "checkpoint": "/a/b/minilm"}, "tune.epochs": 3}
    said = _chosen(SimpleNamespace(chosen=chosen))
    assert '`model: {"base": "transformers", "checkpoint": "minilm"}`, `tune.epochs: 3`' in said
    assert "/a/b" not in said


def test_transforms_and_the_rows_they_made_are_told(tmp_path, scope_of):
    text = PROJECT.format(task="text-classification", columns=TEXT, model="{base: transformers, checkpoint: m}")
    transforms = "transforms: [{name: text-redact, columns: [message]}, {name: text-augment, columns: [message]}]"
    (tmp_path / "tuneloop.yaml").write_text(text.replace("source: jsonl", f"source: jsonl, {transforms}"))
    found = {"findings": [], "constant": {}, "probe": {}, "augmented": 285}
    done = {name: SimpleNamespace(output=found) for name in ("load", "check", "split", "baseline")}
    facts = card_facts(StepContext(scope_of(tmp_path), tmp_path, done), {})
    assert facts.changes == (
        "Transforms: `text-redact`, `text-augment`. 285 of the training rows are changed copies of others.\n"
    )
