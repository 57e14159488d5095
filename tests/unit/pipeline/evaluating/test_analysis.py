"""The lists a person acts on: rows that can be found again, no personal data, files that open in a spreadsheet."""

import csv
import json

import numpy as np
import pytest

from tuneloop.api import Predictions
from tuneloop.monitoring.store_policy import StorePolicy
from tuneloop.pipeline.evaluating.analysis import Looked, OutOfSample, analyse
from tuneloop.pipeline.evaluating.mistakes import confused_pairs, worst_mistakes
from tuneloop.pipeline.evaluating.shown import Display, shown, without_personal_data
from tuneloop.pipeline.evaluating.tables import write_tables
from tuneloop.pipeline.evaluating.wrong import wrongness

LABELS = ("ham", "spam")
SECRET = "write to ada@example.org or +49 30 901820"


def looked(rows=120, text=SECRET):
    return Looked(
        ["validation"] * (rows // 2) + ["test"] * (rows - rows // 2),
        [*range(1000, 1000 + rows - 1), -1],
        [{"text": f"{text} {i}", "year": 1990 + i % 4} for i in range(rows)],
        {"source": ["web" if i % 3 else "app" for i in range(rows)]},
    )


def judged(rows=120):
    truth = np.arange(rows) % 2
    values = truth.copy()
    values[::6] = 1 - values[::6]
    chance = np.linspace(0.5, 0.99, rows)
    scores = np.empty((rows, 2), np.float32)
    scores[np.arange(rows), values], scores[np.arange(rows), 1 - values] = chance, 1 - chance
    return Predictions(values, scores, LABELS), truth


@pytest.fixture(scope="module")
def found():
    rows, answers = looked(), judged()
    doubted = OutOfSample(rows, answers[1], answers[0].scores, LABELS)
    return analyse(rows, answers, None, [doubted], Display(("text", "year"), StorePolicy()))


def test_mistakes_come_surest_first_with_where_they_stand(found):
    first = found["mistakes"][0]
    assert (first["split"], first["row"]) == ("test", 1114)
    assert (first["right"], first["answered"]) == ("ham", "spam")
    weights = [one["weight"] for one in found["mistakes"]]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) == 20


def test_a_file_names_a_row_and_cuts_nothing():
    rows, answers = looked(), judged()
    files = [{"file": f"ham/{'x' * (i % 50)}{i}.png"} for i in range(120)]
    named = Looked(rows.splits, rows.positions, files, rows.columns, frozenset({"file"}))
    found = analyse(named, answers, None, [], Display(("file",), StorePolicy()))
    assert found["mistakes"][0]["shown"]["file"].startswith("ham/")
    assert {one["by"] for one in found["slices"]} <= {"source", "right answer"}
    assert found["looked"] == 4


def test_mistakes_without_a_confidence_say_what_their_number_is():
    truth = np.array([[1, 0], [0, 1]] * 60)
    given = Predictions(1 - truth, np.full((120, 2), 0.5, np.float32), LABELS)
    found = analyse(looked(), (given, truth), None, [], Display((), StorePolicy()))
    assert (found["weight"], found["mistakes"][0]["weight"]) == ("share of wrong labels", 1.0)


def test_confusions_are_counted_and_lead_to_rows(found):
    assert [(one["right"], one["answered"], one["count"]) for one in found["confusions"]] == [("ham", "spam", 20)]
    assert found["confusions"][0]["share"] == pytest.approx(1 / 3)
    assert found["confusions"][0]["examples"][0] == {"split": "validation", "row": 1000}


def test_slices_are_cut_by_columns_that_the_model_does_not_see_too(found):
    assert found["error"] == "share of wrong answers"
    assert {one["by"] for one in found["slices"]} & {"source", "year"}


def test_no_personal_data_is_in_any_of_it(found):
    said = json.dumps(found)
    assert "ada@" not in said
    assert "901820" not in said
    assert "[email]" in said


def test_the_tables_open_in_a_spreadsheet_and_run_no_formula(tmp_path):
    rows = looked(text="=HYPERLINK(1)")
    found = analyse(rows, judged(), None, [], Display(("text", "year"), StorePolicy()))
    write_tables(found, tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text())["rows"] == 120
    with (tmp_path / "mistakes.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 20
    assert all(line["column:text"].startswith("'=") for line in lines)
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("policy", "columns"),
    [
        (StorePolicy(), ("text", "year")),
        (StorePolicy(drop_columns=("text",)), ("year",)),
        (StorePolicy(hash_columns=("year",)), ("text",)),
        (StorePolicy(inputs="drop"), ()),
    ],
)
def test_what_the_store_may_not_keep_is_not_shown(policy, columns):
    assert tuple(Display(("text", "year"), policy).row({"text": "a", "year": 1})) == columns


def test_values_are_shown_short():
    assert shown("a" * 500) == "a" * 159 + "…"
    assert shown(["New", "York"]) == "New York"
    assert shown(1 / 3) == "0.333333"
    assert shown(float("nan")) == ""
    assert shown(b"sound") == "(bytes)"
    assert without_personal_data("a 4111 1111 1111 1111 b DE89 3704 0044 0532 0130 00 c") == "a [card] b [iban] c"


def test_numbers_words_texts_and_many_labels_are_said_in_words():
    texts = np.empty(1, dtype=object)
    texts[:] = [("a", "b")]
    cases = [
        ((Predictions(np.array([1.0])), np.array([2.5])), ("2.5", "1")),
        ((Predictions(np.array(["x"], dtype=object)), texts), ("a | b", "x")),
        (
            (Predictions(np.array([[1, 0]]), np.zeros((1, 2, 2)), LABELS), np.array([[0, -2]])),
            ("word 1: ham", "word 1: spam"),
        ),
        (
            (Predictions(np.array([[1, 0]]), np.zeros((1, 2, 2)), LABELS), np.array([[1, 1]])),
            ("word 2: spam", "word 2: ham"),
        ),
        ((Predictions(np.array([[1, 0]]), np.zeros((1, 2)), LABELS), np.array([[0, 0]])), ("none", "ham")),
    ]
    for case, said in cases:
        (mistake,) = worst_mistakes(case, wrongness(case))
        assert (mistake.right, mistake.answered) == said
    assert confused_pairs(cases[0][0]) == ()
    assert confused_pairs(cases[-1][0]) == ()
