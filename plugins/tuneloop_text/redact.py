"""Transform `text-redact`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic

from tuneloop.api import Row, RowTransform
from tuneloop.api.personal import PersonalKind, PersonalSpan, PhoneCountry, personal_spans
from tuneloop_text.columns import check_texts

if TYPE_CHECKING:
    from datasets import Dataset


class TextRedactOptions(pydantic.BaseModel):
    """Options of transform `text-redact`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = pydantic.Field(min_length=1, description="The text columns to redact.")
    kinds: tuple[PersonalKind, ...] = pydantic.Field(
        ("email", "phone", "card", "iban"), min_length=1, description="What is taken out."
    )
    mark: str = pydantic.Field(
        "[{kind}]", description="What stands in its place; `{kind}` becomes EMAIL, PHONE, CARD or IBAN."
    )
    country: PhoneCountry | None = pydantic.Field(
        None,
        description="Two letters of a country, such as GB, whose phone numbers are taken out also as they are written "
        "within it; by default only those that begin with + and a code.",
    )

    @pydantic.model_validator(mode="after")
    def _mark_is_not_personal(self) -> TextRedactOptions:
        if any(True for _ in personal_spans(self.mark, self.country)) or "@" in self.mark:
            raise ValueError("a mark that is not personal data itself, such as [{kind}]")
        return self


class TextRedact(RowTransform):
    """E-mail addresses, phone numbers, card numbers and IBANs out of texts, of requests before they are stored too."""

    name = "text-redact"
    Options = TextRedactOptions
    extra = "personal"

    options: TextRedactOptions

    def apply(self, rows: Dataset) -> Dataset:
        """Every row redacted.

        Raises:
            DataError: A column is absent, or holds no text.
            MissingExtraError: `phonenumbers` or `python-stdnum` is not installed.
        """
        check_texts(self.name, rows, self.options.columns)
        return super().apply(rows)

    def change(self, row: Row) -> Row:
        """The row without personal data in its texts."""
        texts = {name: row[name] for name in self.options.columns if isinstance(row.get(name), str)}
        return {**row, **{name: self._redacted(text) for name, text in texts.items()}}

    def _redacted(self, text: str) -> str:
        # A mark may join what stands beside it to something that looks personal.
        while spans := self._apart(text):
            for span in reversed(spans):
                text = text[: span.start] + self.options.mark.replace("{kind}", span.kind.upper()) + text[span.end :]
        return text

    def _apart(self, text: str) -> list[PersonalSpan]:
        """The spans in order; of those that overlap the first and longest."""
        found = [span for span in personal_spans(text, self.options.country) if span.kind in self.options.kinds]
        kept: list[PersonalSpan] = []
        for span in sorted(found, key=lambda span: (span.start, -span.end)):
            if not kept or span.start >= kept[-1].end:
                kept.append(span)
        return kept
