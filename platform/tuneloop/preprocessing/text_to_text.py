"""`text-to-text`: a text to read as token ids, and where it is known the right answer to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pydantic

from tuneloop.api import Columns, Encoded, Row
from tuneloop.preprocessing.source import SourcePreprocessor, SourceSettings
from tuneloop.preprocessing.text import TextPreprocessor, TextSettings
from tuneloop.preprocessing.vocabulary import learn_vocabulary
from tuneloop.preprocessing.writing import COMPLETION

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS, _SOURCE, _TARGET = "text_to_text.json", "source_tokenizer.json", "target_tokenizer.json"


class TextToTextSettings(SourceSettings):
    """What a base model says about the texts it reads and writes."""

    source: TextSettings = pydantic.Field(description="How the text is read; its column is that of the requests.")
    prefix: str = pydantic.Field("", description="Put before each text, such as `summarize: `.")


class TextToTextPreprocessor(SourcePreprocessor):
    """Tokenizes one text column, and the right answers; longer texts are cut."""

    name = "text-to-text"
    settings: TextToTextSettings

    def __init__(self, settings: TextToTextSettings) -> None:
        self._text = TextPreprocessor(settings.source.model_copy(update={"column": settings.column}))
        super().__init__(settings, self._text.columns[0], self._text.tensors)
        self.longest = max(self.longest, self._text.longest)

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:
        """The tokenizers are the base model's; with `vocabulary` in place of them one of that size is learned."""
        column, answers = columns.inputs["text"], columns.inputs.get(COMPLETION)
        given = dict(options)
        if (size := given.pop("vocabulary", None)) is not None:
            names = [name for name in (column, answers) if name is not None]
            tokenizer = learn_vocabulary((str(text or "") for name in names for text in rows[name]), int(size))
            given = {**given, **{part: {**given[part], "tokenizer": tokenizer} for part in ("source", "target")}}
        return cls(TextToTextSettings(**given, column=column, answers=answers))

    def check_sources(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column, with a text that is not blank."""
        return self._text.check(rows)

    def encode_sources(self, rows: Sequence[Row]) -> list[Encoded]:
        """Token ids `int64 [rows, length]`, one group a length."""
        column, prefix = self.settings.column, self.settings.prefix
        return self._text.encode([{column: prefix + row[column]} for row in rows])

    def save(self, folder: Path) -> None:
        """Write both tokenizers and the settings."""
        settings = self.settings.model_dump(mode="json")
        (folder / _SOURCE).write_text(settings["source"].pop("tokenizer"), encoding="utf-8")
        (folder / _TARGET).write_text(settings["target"].pop("tokenizer"), encoding="utf-8")
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        settings = pydantic.TypeAdapter(dict[str, Any]).validate_json((folder / _SETTINGS).read_bytes())
        for part, name in (("source", _SOURCE), ("target", _TARGET)):
            settings[part] = {**settings[part], "tokenizer": (folder / name).read_text(encoding="utf-8")}
        return cls(TextToTextSettings(**settings))
