"""`token-classification`: tags, entities, and what does not fit."""

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import ABSENT, NO_PLACE, Columns, DataError, RequestError, Words
from tuneloop.tasks import TokenClassification

COLUMNS = Columns({"tokens": "tokens"}, target="tags")
LABELS = ("O", "B-place", "I-place")


@pytest.fixture
def task():
    return TokenClassification(LABELS)


def logits(*rows, places=6):
    """Rows of tag positions at every second place, as a model gives them."""
    found = np.full((len(rows), places, len(LABELS)), ABSENT, dtype=np.float32)
    for row, tags in enumerate(rows):
        for word, tag in enumerate(tags):
            found[row, 2 * word] = np.eye(len(LABELS))[tag] * 9
    return {"logits": found}


def test_answers_quote_the_text(task):
    rows = [{"tokens": Words.split("In New York")}, {"tokens": Words.join(["Rome"])}]
    first, second = task.answers_to(rows, logits([0, 1, 2], [1]))
    assert first["tags"] == ["O", "B-place", "I-place"]
    assert first["words"] == ["In", "New", "York"]
    (entity,) = first["entities"]
    assert (entity["start"], entity["end"], entity["text"], entity["label"]) == (3, 11, "New York", "place")
    assert entity["confidence"] == pytest.approx(first["confidence"], abs=1e-3)
    assert second["tags"] == ["B-place"]
    assert second["entities"][0]["text"] == "Rome"


def test_confidence_is_that_of_the_least_sure_word(task):
    outputs = logits([0, 1])
    outputs["logits"][0, 2] = [0.0, 0.1, 0.0]
    (answer,) = task.answers_to([{"tokens": Words.join(["a", "b"])}], outputs)
    assert answer["confidence"] == answer["entities"][0]["confidence"] == pytest.approx(0.3557, abs=1e-3)


def test_predictions_and_references_share_their_places(task):
    predictions = task.predictions(logits([0, 1, 2], [1]))
    assert predictions.values.tolist() == [[0, 1, 2], [1, NO_PLACE, NO_PLACE]]
    assert predictions.scores.shape == (2, 3, 3)
    assert task.references([["O", "B-place", "new"], ["O"]]).tolist() == [[0, 1, -1], [0, NO_PLACE, NO_PLACE]]


def test_a_row_is_right_where_all_its_tags_are(task):
    (answer,) = task.answers(logits([0, 1]))
    assert task.error(answer, ["O", "B-place"]) == 0.0
    assert task.error(answer, ["O", "O"]) == 1.0
    for truth in ("O", ["O"], ["O", "O", "O"], ["O", 1], ["O", ""], None, {"tags": []}):
        with pytest.raises(RequestError):
            task.error(answer, truth)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "row 1 has 2 words in 'tokens', but 1 tags in 'tags'"),
        ({"tokens": [], "tags": ["O"]}, "row 1 has 0 words"),
    ],
)
def test_rows_with_more_words_than_tags_are_named(row, said):
    rows = Dataset.from_list([{"tokens": ["a"], "tags": ["O"]}, row])
    with pytest.raises(DataError, match=said):
        TokenClassification.examine(COLUMNS, rows)


def test_texts_in_place_of_lists_are_named():
    rows = Dataset.from_list([{"tokens": "a b", "tags": "O O"}])
    with pytest.raises(DataError, match="column 'tokens' holds 'a b'"):
        TokenClassification.examine(COLUMNS, rows)
    with pytest.raises(DataError, match="a list of texts"):
        TokenClassification.fit(COLUMNS, rows)


def test_missing_rows_are_left_to_the_split():
    TokenClassification.examine(
        COLUMNS, Dataset.from_list([{"tokens": ["a"], "tags": None}, {"tokens": None, "tags": ["O"]}])
    )
