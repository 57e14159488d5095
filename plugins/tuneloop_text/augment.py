"""Transform `text-augment`."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import Augmentation
from tuneloop_text.columns import check_texts

if TYPE_CHECKING:
    from datasets import Dataset


class TextAugmentOptions(pydantic.BaseModel):
    """Options of transform `text-augment`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = pydantic.Field(min_length=1, description="The text columns to change.")
    copies: int = pydantic.Field(1, ge=1, le=100, description="Changed rows made of each training row.")
    delete: float = pydantic.Field(0.1, ge=0, le=0.9, description="Share of the words left out; never all of them.")
    swap: float = pydantic.Field(0.1, ge=0, le=0.9, description="Share of the words that change places with the next.")
    noise: float = pydantic.Field(
        0.0, ge=0, le=0.9, description="Share of the letters that are dropped, doubled, or swapped with the next."
    )
    seed: int = pydantic.Field(0, ge=0, description="Another seed, other changes.")


class TextAugment(Augmentation):
    """Training rows once more, with words left out or swapped, and letters mistyped."""

    name = "text-augment"
    Options = TextAugmentOptions

    options: TextAugmentOptions

    def apply(self, rows: Dataset) -> Dataset:
        """The rows, then their changed copies; what a row becomes depends on its texts and the seed alone.

        Raises:
            DataError: A column is absent, or holds no text.
        """
        from datasets import concatenate_datasets

        check_texts(self.name, rows, self.options.columns)
        made = [
            rows.map(self._changed, fn_kwargs={"copy": copy}, features=rows.features, desc=self.name)
            for copy in range(self.options.copies)
        ]
        return concatenate_datasets([rows, *made])

    def _changed(self, row: dict[str, Any], copy: int) -> dict[str, Any]:
        return {name: self._text(row[name], name, copy) for name in self.options.columns}

    def _text(self, text: str | None, column: str, copy: int) -> str | None:
        if not text:
            return text
        key = f"{self.options.seed}:{copy}:{column}:{text}".encode("utf-8", "surrogatepass")
        chance = random.Random(hashlib.sha256(key).digest())  # noqa: S311
        words = text.split()
        kept = [word for word in words if chance.random() >= self.options.delete] or words[:1]
        _swap(kept, self.options.swap, chance)
        return " ".join(_mistyped(word, self.options.noise, chance) for word in kept)


def _swap(items: list[str], share: float, chance: random.Random) -> None:
    for place in range(len(items) - 1):
        if chance.random() < share:
            items[place], items[place + 1] = items[place + 1], items[place]


def _mistyped(word: str, share: float, chance: random.Random) -> str:
    letters: list[str] = []
    place = 0
    while place < len(word):
        here = word[place]
        if chance.random() >= share:
            letters.append(here)
        elif (how := chance.choice(("drop", "double", "swap"))) == "double":
            letters += [here, here]
        elif how == "swap" and place + 1 < len(word):
            letters += [word[place + 1], here]
            place += 1
        place += 1
    return "".join(letters) or word
