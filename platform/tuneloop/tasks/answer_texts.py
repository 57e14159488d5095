"""Reference answers of `question-answering`: the forms they have in data, and when two texts are the same answer."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tuneloop.api import DataError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_MARKS = str.maketrans("", "", string.punctuation)
UNPLACED = -1
"""Where an answer is said to begin whose place is not known: its text is looked for."""


def read_answers(value: Any) -> list[tuple[str, int]]:
    """The texts of a reference answer, each with its first character in the context, or `UNPLACED`.

    A text; a list of texts; a list of `{text, answer_start}`; or, as in SQuAD, `{text: [...], answer_start: [...]}`.

    Raises:
        DataError: It is none of these.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [(value, UNPLACED)] if value.strip() else []
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        texts = value["text"]
        starts = value.get("answer_start") or [UNPLACED] * len(texts)
        if len(starts) == len(texts):
            return [_answer(text, start, value) for text, start in zip(texts, starts, strict=True)]
    elif isinstance(value, Mapping):
        return [_answer(value.get("text"), value.get("answer_start"), value)]
    elif isinstance(value, list):
        return [answer for item in value for answer in read_answers(item)]
    raise _wrong(value)


def write_answers(texts: list[str], known: Any) -> Any:
    """Texts in the form of another reference answer; see `read_answers`."""
    if isinstance(known, Mapping) and isinstance(known.get("text"), list):
        return {"text": texts, "answer_start": [UNPLACED] * len(texts)}
    if isinstance(known, list) and known and isinstance(known[0], Mapping):
        return [{"text": text, "answer_start": UNPLACED} for text in texts]
    if isinstance(known, Mapping):
        return {"text": next(iter(texts), ""), "answer_start": UNPLACED}
    return texts if isinstance(known, list) else next(iter(texts), "")


def place(context: str, answers: list[tuple[str, int]]) -> tuple[int, int] | None:
    """First character and end (exclusive) of the first answer that stands in a context; None: none does.

    An answer that is not where it is said to be is looked for, at last without regard to case.
    """
    for text, start in answers:
        if start >= 0 and context[start : start + len(text)] == text:
            return start, start + len(text)
    for text, _ in answers:
        if (start := context.find(text)) >= 0:
            return start, start + len(text)
    for text, _ in answers:
        if found := re.search(re.escape(text), context, re.IGNORECASE):
            return found.span()
    return None


def normal_answer(text: str) -> str:
    """A text without case, marks, articles and more than one space: what SQuAD compares.

    Source: the evaluation script of SQuAD 1.1 (P. Rajpurkar et al., EMNLP 2016).
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_MARKS)).split())


def word_f1(text: str, right: Iterable[str]) -> float:
    """The F1 over the words that a text shares with a right one, 0 to 1; the best of the right ones counts.

    A text without any words is right where the other has none either. Source: the evaluation script of SQuAD 2.0
    (P. Rajpurkar et al., ACL 2018).
    """
    words = Counter(normal_answer(text).split())
    return max((_shared(words, Counter(normal_answer(one).split())) for one in right), default=0.0)


def _shared(first: Counter[str], second: Counter[str]) -> float:
    if not first or not second:
        return float(first == second)
    return 2.0 * (first & second).total() / (first.total() + second.total())


def _answer(text: Any, start: Any, value: Any) -> tuple[str, int]:
    if not isinstance(text, str) or not isinstance(start, int | None) or isinstance(start, bool):
        raise _wrong(value)
    return text, UNPLACED if start is None else start


def _wrong(value: Any) -> DataError:
    return DataError(
        f"{value!r:.120} is no answer; expected a text, a list of texts, a list of {{text, answer_start}}, or "
        "{text: [...], answer_start: [...]}"
    )
