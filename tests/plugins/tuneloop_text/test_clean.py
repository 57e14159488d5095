"""Clean text."""

import unicodedata
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.api.testing import TransformContract
from tuneloop_text import TextClean
from tuneloop_text.markup import strip_markup


class TestTextClean(TransformContract):
    plugin = TextClean
    options: ClassVar[Any] = {"columns": ["text"]}


def clean(values, **options):
    from datasets import Dataset

    rows = Dataset.from_dict({"text": values, "id": list(range(len(values)))})
    return TextClean(TextClean.Options(columns=("text",), **options)).apply(rows)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("  a\t b\n", "a b"),
        ("<p>Fish &amp; <b>chips</b></p>", "Fish & chips"),
        ("one<br/>two", "one two"),
        ("a < b and c > d", "a < b and c > d"),
        ("<script>evil()</script>good<!-- gone -->", "good"),
        ("e\u0301", "\u00e9"),
        ("5 &lt; 6", "5 < 6"),
        ("I <3 you", "I <3 you"),
    ],
)
def test_examples(raw, plain):
    assert clean([raw])["text"][:] == [plain]


def test_rows_without_text_go_and_missing_ones_stay():
    rows = clean(["a", " <br> ", None, "b"], drop_empty=True)
    assert rows[:] == {"text": ["a", None, "b"], "id": [0, 2, 3]}
    assert clean(["a", " "])["text"][:] == ["a", ""]
    assert clean(["<b> x "], strip_html=False, whitespace=False)["text"][:] == ["<b> x "]


def test_unicode_forms():
    assert clean(["\ufb01x"], unicode="NFKC")["text"][:] == ["fix"]
    assert clean(["e\u0301"], unicode="none")["text"][:] == ["e\u0301"]


def test_selected_rows_are_the_ones_cleaned():
    from datasets import Dataset

    rows = Dataset.from_dict({"text": [" a", " b", " c"]}).select([2, 0])
    assert TextClean(TextClean.Options(columns=("text",))).apply(rows)["text"][:] == ["c", "a"]


def test_errors_name_the_column():
    with pytest.raises(DataError, match="text-clean: column 'text' holds int64, which is no text"):
        clean([3])
    from datasets import Dataset

    rows = Dataset.from_dict({"text": ["a"], "id": [1]})
    with pytest.raises(DataError, match="no column body; there are: text, id"):
        TextClean(TextClean.Options(columns=("body",))).apply(rows)


@given(st.text(max_size=80))
def test_any_text_comes_out_composed_and_without_stray_space(text):
    (found,) = clean([text.encode("utf-8", "replace").decode()])["text"]
    assert found == " ".join(found.split())
    assert unicodedata.is_normalized("NFC", found)


@given(
    st.lists(
        st.sampled_from(["&", "amp;", "lt;", "gt;", "b", "/", "<", ">", " ", "\uff1c", "#x301;", "e"]), max_size=16
    )
)
def test_cleaned_twice_is_cleaned_once(pieces):
    transform = TextClean(TextClean.Options(columns=("text",), unicode="NFKC"))
    once = transform.change({"text": "".join(pieces), "id": 1})
    assert transform.change(once) == once
    assert clean(["".join(pieces)], unicode="NFKC")["text"][:] == [once["text"]]


@given(st.text(st.characters(exclude_characters="<&"), max_size=80))
def test_text_without_markup_is_left_alone(text):
    assert strip_markup(text) == text
