"""A source, and the answer to it: what is read, what is learned, and what a request may hold."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import SCORED, TARGET_IDS, Columns, DataError, RequestError
from tuneloop.preprocessing import TextToTextPreprocessor
from tuneloop.preprocessing.text_to_text import TextToTextSettings

ROWS = [{"en": "the cat sat", "de": "die Katze saß"}, {"en": "a dog", "de": "ein Hund"}, {"en": "a cat", "de": "sie"}]
COLUMNS = Columns({"text": "en", "completion": "de"}, target="de")


def make(**target):
    options = {
        "vocabulary": 90,
        "source": {"max_length": 8, "unknown_id": 3},
        "target": {"start_ids": [1, 5], "stop_ids": [2, 0], "max_length": 12, **target},
    }
    return TextToTextPreprocessor.fit(options, COLUMNS, Dataset.from_list(ROWS))


def test_the_answer_begins_and_ends_with_its_tokens_and_only_its_own_are_scored():
    made = make()
    groups = made.encode(made.check(ROWS))
    assert sorted(row for group in groups for row in group.rows) == [0, 1, 2]
    assert [tensor.name for tensor in made.tensors] == ["input_ids", "attention_mask", TARGET_IDS, SCORED]
    for group in groups:
        ids, scored = group.inputs[TARGET_IDS], group.inputs[SCORED]
        assert ids[:, :2].tolist() == [[1, 5]] * len(group.rows)
        assert scored.tolist() == [[0, 0] + [1] * (ids.shape[1] - 2)] * len(group.rows)
        for row, tokens in zip(group.rows, ids[:, 2:].tolist(), strict=True):
            own = made.tokenizer.encode(ROWS[row]["de"], add_special_tokens=False).ids
            assert tokens == [*own, 2][:10]


def test_a_request_has_the_source_alone():
    made = make()
    asked = made.requests(ROWS)
    assert asked == [{"en": row["en"]} for row in ROWS]
    (group,) = made.encode(made.check(asked[:1]))
    assert group.inputs[TARGET_IDS].tolist() == [[1, 5]]
    assert group.inputs[SCORED].tolist() == [[0, 0]]
    np.testing.assert_array_equal(made.source(ROWS[0])["input_ids"], group.inputs["input_ids"])


@pytest.mark.parametrize(
    ("row", "field"),
    [({"de": "x"}, "en"), ({"en": "a", "it": "b"}, "it"), ({"en": "a", "de": 3}, "de"), ({"en": " "}, "en"), (7, None)],
)
def test_what_is_no_row_is_refused_by_its_field(row, field):
    with pytest.raises(RequestError) as refused:
        make().check([{"en": "a"}, row])
    assert (refused.value.row, refused.value.field) == (1, field)


def test_a_prefix_is_read_before_each_text(tmp_path):
    plain = make()
    settings = plain.settings.model_dump() | {"prefix": "a dog "}
    made = TextToTextPreprocessor(TextToTextSettings(**settings))
    joined = plain.encode(plain.check([{"en": "a dog the cat"}]))[0].inputs["input_ids"]
    assert made.encode(made.check([{"en": "the cat"}]))[0].inputs["input_ids"].tolist() == joined.tolist()
    made.save(tmp_path)
    assert TextToTextPreprocessor.load(tmp_path).settings == made.settings


def test_a_tokenizer_that_cannot_be_read_is_named():
    settings = make().settings.model_dump()
    settings["target"]["tokenizer"] = "{}"
    with pytest.raises(DataError, match="the tokenizer of the texts that are written cannot be read"):
        TextToTextPreprocessor(TextToTextSettings(**settings))
