"""What is said of the data reaches the card, and a changed licence makes another card without another training."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from datasets import Dataset

from tuneloop.api import DataError
from tuneloop.config.card_shape import Card
from tuneloop.pipeline.data import load
from tuneloop.pipeline.data.about import about, counted, told_by
from tuneloop.pipeline.delivering import profile
from tuneloop.pipeline.documents.card import card_facts, data_words
from tuneloop.pipeline.runs.cache import fingerprint, perform
from tuneloop.pipeline.runs.step import StepContext, StepResult

PROJECT = """\
name: desk
task: text-classification
data: {source: hub, dataset: ./desk, columns: {text: text, label: label}}
model: {base: transformers, checkpoint: m}
tune: {strategy: full}
card: {consent_column: agreed, license_column: %s}
"""
ROWS = [{"text": f"line {number}", "label": "a", "agreed": number % 3 > 0, "terms": "mit"} for number in range(9)]


def write(folder, terms="terms"):
    (folder / "desk").mkdir()
    (folder / "desk" / "train.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (folder / "tuneloop.yaml").write_text(PROJECT % terms)
    return folder


def test_words_are_of_one_line_and_empty_ones_absent():
    rows = Dataset.from_dict({"text": ["a"]})
    assert told_by(rows) == {}
    rows.info.license, rows.info.citation = "CC0", "@misc{desk,\n  title = {Desk}\n}"
    assert told_by(rows) == {"license": "CC0", "citation": "@misc{desk, title = {Desk} }"}


def test_values_are_counted_and_the_rarest_together():
    rows = [{"said": value} for value in ["yes"] * 5 + [None, "", "no"] + [f"v{number}" for number in range(9)]]
    once = ", ".join(f"{value} 1" for value in ("no", *(f"v{number}" for number in range(7))))
    assert counted(rows, "said") == f"yes 5, nothing 2, {once}, other values 2"


def test_a_project_that_says_nothing_has_what_the_source_and_the_rows_say(tmp_path, monkeypatch, scope_of):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    scope = scope_of(write(tmp_path))
    (tmp_path / "desk" / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    first = perform(load.STEP, scope, {})
    assert about({"load": first}) == {"license": "cc-by-4.0"}
    found = {"findings": [], "constant": {}, "probe": {}, "augmented": 0}
    done = {name: SimpleNamespace(output=found) for name in ("check", "split", "baseline")}
    said = data_words(card_facts(StepContext(scope, tmp_path, {**done, "load": first}), {}))
    assert said == (
        "Source: not stated (`card` in tuneloop.yaml). Licence: cc-by-4.0 (as the data source says).\n"
        "Consent and grounds: not stated (`card` in tuneloop.yaml).\n"
        "Licences by column `terms`, rows: mit 9.\nConsent by column `agreed`, rows: True 6, False 3.\n"
    )
    (tmp_path / "desk" / "README.md").write_text("---\nlicense: cc0-1.0\n---\n")
    second = perform(load.STEP, scope, {})
    assert second.fingerprint == first.fingerprint, "equal rows train nothing again"
    others = {name: StepResult(name, "", tmp_path, {}, 0.0, reused=True) for name in profile.STEP.after}
    keys = {fingerprint(profile.STEP, scope, {**others, "load": one}) for one in (first, second)}
    assert len(keys) == 2, "the card is written again"


def test_what_the_project_says_goes_before_what_the_source_says():
    card = Card(data_license="MIT", consent="asked")
    told = {"license": "cc0", "citation": "Ada, 2026.", "homepage": "https://example.org"}
    said = data_words(SimpleNamespace(card=card, about=told, counts=""))
    assert said == (
        "Source: Ada, 2026, https://example.org (as the data source says). Licence: MIT.\nConsent and grounds: asked.\n"
    )


def test_a_column_that_is_not_there_is_named(tmp_path, monkeypatch, scope_of):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with pytest.raises(DataError, match=r"'term' \(card\.license_column\)"):
        perform(load.STEP, scope_of(write(tmp_path, "term")), {})
