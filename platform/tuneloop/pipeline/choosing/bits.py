"""Bits per byte: how probable models of different tokenizers find the same texts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.api import SCORED, TARGET_IDS

if TYPE_CHECKING:
    from datasets import Dataset

BITS = "bits_per_byte"
_IDS = "input_ids"


def bits_per_byte(perplexity: float, rows: Dataset, tokenizer: Any) -> float:
    """The bits that a model needs for a byte of the right answers, of its perplexity.

    A perplexity is one of tokens: a model that cuts texts into more of them finds each more probable. Divided by bytes
    instead, the likelihood of texts is comparable (Gao et al. 2020, The Pile, section 3.1).

    Args:
        perplexity: Over the scored tokens of the rows.
        rows: Encoded, with the tokens and `scored`; where answers are cut, what is left of them counts.
        tokenizer: Of the `tokenizers` library, that of the answers.
    """
    answers = [_answer(*pair) for pair in _pairs(rows)]
    tokens = sum(map(len, answers))
    size = sum(len(tokenizer.decode(answer, skip_special_tokens=True).encode()) for answer in answers)
    # Texts of special tokens alone have no bytes.
    return tokens * math.log2(perplexity) / max(size, 1)


def _pairs(rows: Dataset) -> Iterable[tuple[list[int], list[int]]]:
    ids = rows[TARGET_IDS if TARGET_IDS in rows.column_names else _IDS]
    return zip(ids, rows[SCORED], strict=True)


def _answer(ids: list[int], scored: list[int]) -> list[int]:
    """The tokens whose probability is asked for: nothing stands before the first."""
    asked = np.asarray(scored)[1:] == 1
    tokens: list[int] = np.asarray(ids)[1:][asked].tolist()
    return tokens
