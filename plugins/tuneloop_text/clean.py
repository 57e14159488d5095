"""Transform `text-clean`."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Literal

import pydantic

from tuneloop.api import Row, RowTransform
from tuneloop_text.columns import check_texts
from tuneloop_text.markup import strip_markup

if TYPE_CHECKING:
    from datasets import Dataset


class TextCleanOptions(pydantic.BaseModel):
    """Options of transform `text-clean`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = pydantic.Field(min_length=1, description="The text columns to clean.")
    unicode: Literal["NFC", "NFKC", "none"] = pydantic.Field("NFC", description="The Unicode normal form.")
    strip_html: bool = pydantic.Field(
        True, description="Remove HTML tags, and turn entities such as `&amp;` into text."
    )
    whitespace: bool = pydantic.Field(
        True, description="Turn each run of white space into one space, none at the ends."
    )
    drop_empty: bool = pydantic.Field(
        False, description="Leave out rows of the data of which nothing but blanks is left."
    )


class TextClean(RowTransform):
    """Unicode in one form, no markup, no stray white space; in requests as in training rows."""

    name = "text-clean"
    Options = TextCleanOptions

    options: TextCleanOptions

    def apply(self, rows: Dataset) -> Dataset:
        """Rows with clean text; missing values stay missing.

        Raises:
            DataError: A column is absent, or holds something else than text.
        """
        import pyarrow

        check_texts(self.name, rows, self.options.columns)
        keep = [True] * len(rows)
        for name in self.options.columns:
            values = [None if text is None else self._clean(text) for text in rows[name]]
            place = rows.column_names.index(name)
            table = rows.with_format("arrow")[:].set_column(place, name, pyarrow.array(values, pyarrow.string()))
            rows = type(rows)(table)
            if self.options.drop_empty:
                keep = [kept and value != "" for kept, value in zip(keep, values, strict=True)]
        return rows if all(keep) else rows.select([row for row, kept in enumerate(keep) if kept])

    def change(self, row: Row) -> Row:
        """The row with clean texts; a row of which nothing is left stays."""
        texts = {name: row[name] for name in self.options.columns if isinstance(row.get(name), str)}
        return {**row, **{name: self._clean(text) for name, text in texts.items()}}

    def _clean(self, text: str) -> str:
        # What is unescaped may be markup itself, or no normal form: cleaned twice must be as cleaned once.
        while (cleaned := self._once(text)) != text:
            text = cleaned
        return text

    def _once(self, text: str) -> str:
        if self.options.unicode != "none":
            text = unicodedata.normalize(self.options.unicode, text)
        if self.options.strip_html:
            text = strip_markup(text)
        return " ".join(text.split()) if self.options.whitespace else text
