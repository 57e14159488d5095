"""What `tuneloop accuracy` reports, against figures computed from the same rows by hand and by scikit-learn."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from tuneloop.api import Column, ServingError
from tuneloop.monitoring.accuracy.answers import Judge
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.figures import Figures
from tuneloop.monitoring.accuracy.reading import read_answers, read_pairs, reading
from tuneloop.monitoring.accuracy.slices import SliceReader, stored_batch
from tuneloop.monitoring.accuracy.study import DAY, WEEK, Settings, Study, study
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.signals import ColumnCategory
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow
from tuneloop.report.accuracy import as_json, as_lines
from tuneloop.tasks import TabularClassification, TabularRegression

MONDAY = 1_767_571_200.0
"""2026-01-05, midnight UTC."""
END = MONDAY + 1_200_000.0
"""When the labels come: just after the last answer."""
CLASSES = ("high", "low", "middle")
JOBS = ("nurse", "pilot")


@dataclass
class Truth:
    """What was asked, answered and labelled, kept beside the store."""

    url: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def of(self, version: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["version"] == version]


def answer_of(random: np.random.Generator, label: str) -> dict[str, Any]:
    scores = dict(zip(CLASSES, random.dirichlet([1.0] * len(CLASSES)).tolist(), strict=True))
    return {"label": label, "confidence": scores[label], "scores": scores}


@pytest.fixture
def truth(database_url: str) -> Truth:
    """Two weeks of two versions; a half of the answers has a label, and some of them had another one before."""
    store = PredictionStore(database_url, clock=lambda: END)
    random = np.random.default_rng(0)
    kept = Truth(database_url)
    made, shown = [], []
    for number in range(1200):
        version = "9" if number < 800 else "10"
        row = {"version": version, "time": MONDAY + number * 1000.0, "job": JOBS[number % 2]}
        row["right"] = str(random.choice(CLASSES, p=[0.2, 0.5, 0.3]))
        row["answer"] = row["right"] if random.uniform() < 0.8 else str(random.choice(CLASSES))
        row["shadow"] = row["right"] if random.uniform() < 0.99 else str(random.choice(CLASSES))
        row["labelled"] = bool(random.uniform() < 0.5)
        id_, time = f"p{number}", row["time"]
        made.append(Prediction(id_, "desk", version, time, {"job": row["job"]}, answer_of(random, row["answer"])))
        if version == "9":
            shown.append(Shadow(id_, "10", time, answer_of(random, row["shadow"])))
        kept.rows.append(row)
    store.add_predictions([*made, Prediction("else", "other", "1", MONDAY, {}, {"label": "low"})])
    ShadowStore(store).add_predictions(shown)
    labelled = [(f"p{number}", row) for number, row in enumerate(kept.rows) if row["labelled"]]
    store.add_labels([(id_, "low") for id_, _ in labelled[::3]])
    store.add_labels([(id_, row["right"]) for id_, row in labelled])
    store.close()
    return kept


def slices() -> SliceReader:
    signals = list(ColumnCategory.create([Column("job", "category", JOBS)], (), CLASSES, 0))
    rows = [{"job": job} for job in JOBS]
    reference = build_reference(signals, [stored_batch(rows, [{}, {}])])
    return SliceReader(reference.model_copy(update={"slices": ("column:job",)}), signals)


def look(url: str, settings: Settings, judge: Judge | None = None, **options: Any) -> Study:
    chosen = judge or Judge(TabularClassification(CLASSES), slices=slices())
    with reading(url) as connection:
        answers = read_answers(connection, "desk", lambda _: chosen, **options)
        pairs = read_pairs(connection, "desk", lambda _: chosen)
    calibrations = {} if chosen.calibration is None else dict.fromkeys(("9", "10"), chosen.calibration)
    return study("desk", answers, pairs, calibrations, settings, "9")


def expected(rows: list[dict[str, Any]]) -> dict[str, float]:
    labelled = [row for row in rows if row["labelled"]]
    truth, answered = [row["right"] for row in labelled], [row["answer"] for row in labelled]
    scores = (("macro_f1", f1_score), ("macro_precision", precision_score), ("macro_recall", recall_score))
    found = {name: score(truth, answered, average="macro", zero_division=0) for name, score in scores}
    return {**found, "accuracy": float(np.mean([one == other for one, other in zip(truth, answered, strict=True)]))}


def check(found: Figures, rows: list[dict[str, Any]]) -> None:
    assert found.rows == len(rows)
    assert found.labelled == sum(row["labelled"] for row in rows)
    assert found.coverage == pytest.approx(found.labelled / found.rows)
    assert {name: one.value for name, one in found.scores.items()} == pytest.approx(expected(rows))
    assert all(one.low < one.value < one.high for one in found.scores.values())


def test_versions_windows_and_slices_are_right(truth: Truth) -> None:
    made = look(truth.url, Settings(window=DAY, min_labels=100))
    whole = [one for one in made.figures if one.window is None and one.slice is None]
    assert [one.version for one in whole] == ["9", "10"]
    for one in whole:
        check(one, truth.of(one.version))
        waited = [END - row["time"] for row in truth.of(one.version) if row["labelled"]]
        assert one.delay == pytest.approx(tuple(np.quantile(waited, [0.5, 0.95])))
    days = [one for one in made.figures if one.version == "9" and one.window is not None]
    assert [one.window for one in days] == [MONDAY + DAY * day for day in range(10)]
    for one in days[:9]:
        start = one.window or 0.0
        check(one, [row for row in truth.of("9") if start <= row["time"] < start + DAY])
    for one in made.figures:
        if one.slice is not None:
            assert one.slice[0] == "column:job"
            check(one, [row for row in truth.of(one.version) if row["job"] == one.slice[1]])
    assert len([one for one in made.figures if one.slice is not None]) == 4


def test_weeks_begin_on_mondays(truth: Truth) -> None:
    made = look(truth.url, Settings(window=WEEK))
    starts = sorted({one.window for one in made.figures if one.window is not None})
    assert starts == [MONDAY, MONDAY + WEEK]
    recent = look(truth.url, Settings(), since=MONDAY + WEEK)
    assert {one.version for one in recent.figures} == {"9", "10"}
    assert next(one for one in recent.figures).rows == len(
        [row for row in truth.of("9") if row["time"] >= MONDAY + WEEK]
    )
    assert {one.version for one in look(truth.url, Settings(), versions=("10",)).figures} == {"10"}


def test_the_same_rows_compare_versions_more_sharply(truth: Truth) -> None:
    paired, apart = look(truth.url, Settings(min_labels=10_000)).comparisons
    labelled = [row for row in truth.of("9") if row["labelled"]]
    gain = np.mean([(row["shadow"] == row["right"]) - float(row["answer"] == row["right"]) for row in labelled])
    assert paired.paired
    assert (paired.champion, paired.challenger, paired.rows) == ("9", "10", (len(labelled), len(labelled)))
    assert paired.gains["accuracy"].value == pytest.approx(gain)
    assert paired.gains["accuracy"].low > 0
    labels = [row["right"] for row in labelled]
    macro = [f1_score(labels, [row[who] for row in labelled], average="macro") for who in ("answer", "shadow")]
    assert paired.gains["macro_f1"].value == pytest.approx(macro[1] - macro[0])
    assert not apart.paired
    assert apart.gains["accuracy"].value == pytest.approx(
        expected(truth.of("10"))["accuracy"] - expected(truth.of("9"))["accuracy"]
    )
    assert any("few labels" in note for note in paired.notes)
    assert any("different times" in note for note in apart.notes)


def test_estimates_are_of_all_answers(truth: Truth) -> None:
    judge = Judge(TabularClassification(CLASSES), calibration=Calibration(classes=CLASSES, curves=(None,) * 3))
    made = look(truth.url, Settings(), judge)
    with reading(truth.url) as connection:
        scores = read_answers(connection, "desk", lambda _: judge).scores["9"][1]
    assert made.figures[0].estimate is not None
    assert made.figures[0].estimate.rows == 800
    assert made.figures[0].estimate.accuracy == pytest.approx(scores.max(axis=1).mean())


def test_few_labels_are_said_to_be_few(truth: Truth) -> None:
    for later, open_ in ((2 * WEEK, False), (3600.0, True)):
        made = look(truth.url, Settings(min_labels=1000, now=END + later))
        for one in made.figures:
            said = "; ".join(one.notes)
            assert "few labels: " in said
            assert "of the 1000 that are needed" in said
            assert ("labels may still come" in said) is open_


@pytest.fixture
def empty(database_url: str) -> PredictionStore:
    return PredictionStore(database_url, clock=lambda: 100.0)


def test_numbers_have_errors_and_no_classes(empty: PredictionStore, database_url: str) -> None:
    random = np.random.default_rng(1)
    answers, errors = random.normal(10, 2, size=300), random.normal(0, 1.5, size=300)
    empty.add_predictions(
        [Prediction(f"p{n}", "desk", "1", float(n), {}, {"value": float(one)}) for n, one in enumerate(answers)]
    )
    empty.add_labels([(f"p{n}", float(answers[n] - errors[n])) for n in range(300)])
    ShadowStore(empty).add_predictions(
        [Shadow(f"p{n}", "2", 0.0, {"value": float(answers[n] - errors[n] / 2)}) for n in range(300)]
    )
    empty.close()
    judge = Judge(TabularRegression.from_state({"mean": 0.0, "scale": 1.0}), tolerance=1.0)
    made = look(database_url, Settings(), judge)
    found = made.figures[0]
    assert set(found.scores) == {"accuracy", "mae", "rmse"}
    assert found.scores["mae"].value == pytest.approx(np.abs(errors).mean())
    assert found.scores["rmse"].value == pytest.approx(math.sqrt((errors**2).mean()))
    assert found.scores["accuracy"].value == pytest.approx((np.abs(errors) <= 1.0).mean())
    gain = made.comparisons[0].gains["mae"]
    assert gain.value == pytest.approx(-np.abs(errors).mean() / 2)
    assert gain.high < 0
    assert "better" in "\n".join(as_lines(made))


def test_labels_that_do_not_fit_are_counted_apart(empty: PredictionStore, database_url: str) -> None:
    empty.add_labels([("a", ["no", "label"]), ("b", "low")])
    empty.add_predictions(
        [Prediction(id_, "desk", "1", 1.0, {}, {"label": "low", "confidence": 1, "scores": {}}) for id_ in "abc"]
    )
    empty.close()
    found = look(database_url, Settings(), Judge(TabularClassification(CLASSES))).figures[0]
    assert (found.rows, found.labelled, found.invalid) == (3, 1, 1)
    assert found.scores["accuracy"].value == 1.0
    assert "1 labels do not fit" in "; ".join(found.notes)


def test_no_labels_are_no_figures(empty: PredictionStore, database_url: str) -> None:
    empty.add_predictions([Prediction("a", "desk", "1", 1.0, {}, {"label": "low", "confidence": 1, "scores": {}})])
    empty.close()
    made = look(database_url, Settings(), Judge(TabularClassification(CLASSES)))
    assert (made.figures[0].scores, made.figures[0].delay) == ({}, None)
    lines = "\n".join(as_lines(made))
    assert "no labels" in lines
    assert "nan" not in lines
    assert json.loads(json.dumps(as_json(made), allow_nan=False))["figures"][0]["scores"] == {}


def test_an_empty_store_says_so(empty: PredictionStore, database_url: str) -> None:
    empty.close()
    made = look(database_url, Settings(), Judge(TabularClassification(CLASSES)))
    assert made.figures == ()
    assert "no answer of desk" in as_lines(made)[0]


def test_a_store_that_is_not_there_is_named() -> None:
    with pytest.raises(ServingError, match=r"no prediction store '/nowhere/p\.db'"), reading("sqlite:////nowhere/p.db"):
        pass
