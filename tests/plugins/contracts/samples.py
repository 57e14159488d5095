"""Rows and columns that several kinds are tried with."""

from __future__ import annotations

from tuneloop.api import Columns

PASSAGES = (
    {"q": "Who barks?", "c": "The dog barks.", "a": ["The dog", "dog"]},
    {"q": "Who sleeps?", "c": "A cat sleeps here", "a": ["A cat"]},
)

PASSAGE_COLUMNS = Columns({"question": "q", "context": "c"}, target="a")

PICTURES = tuple(
    {"image": {"array": [[7 * n, 255 - n, 9 * x] for x in range(5 + n)]}, "label": ("a", "b")[n % 2]} for n in range(4)
)

PICTURE_COLUMNS = Columns({"image": "image"}, target="label")
