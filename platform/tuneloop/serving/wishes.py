"""What a client asks for beside its answers, in headers of its request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tuneloop.api import RequestError
from tuneloop.serving.generating.options import GenerationOptions

DURABLE_HEADER = "x-tuneloop-durable"
"""`true`: the answer comes after the prediction is in the store, and says whether it is."""
SUBJECT_HEADER = "x-tuneloop-subject"
"""Whose data the rows are: `tuneloop erase` deletes by it."""
LONGEST_SUBJECT = 200

_DURABLE, _SUBJECT = DURABLE_HEADER.encode(), SUBJECT_HEADER.encode()
_NAMES = (_DURABLE, _SUBJECT)
_SUBJECT_FORM = re.compile(rb"[!-~]{1,%d}" % LONGEST_SUBJECT)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for.

    Attributes:
        durable: Whether its sender waits until the predictions are in the store.
        subject: Whose data the rows are; None: nobody's.
        options: How texts are generated, by a model that does so; None: as it does by default.
        rendered: Whether prompts came from a chat template.
    """

    durable: bool = False
    subject: str | None = None
    options: GenerationOptions | None = None
    rendered: bool = False


NO_WISHES = Wishes()


def wishes_of(headers: Iterable[tuple[bytes, bytes]]) -> Wishes:
    """The wishes in the headers of an ASGI scope.

    Raises:
        RequestError: One is not what it must be. A subject that was silently cut could never be erased.
    """
    found = {name: value for name, value in headers if name in _NAMES}
    if not found:
        return NO_WISHES
    durable = found.get(_DURABLE, b"false").strip().lower()
    if durable not in (b"true", b"false"):
        raise RequestError("is true or false", field=DURABLE_HEADER)
    subject = found.get(_SUBJECT)
    return Wishes(durable == b"true", None if subject is None else _subject(subject))


def _subject(value: bytes) -> str:
    if not _SUBJECT_FORM.fullmatch(value):
        said = f"is a text of 1 to {LONGEST_SUBJECT} visible ASCII characters without spaces"
        raise RequestError(said, field=SUBJECT_HEADER)
    return value.decode("ascii")


def shown(stored: bool | None) -> dict[str, Any]:
    """The part of an answer that says whether its predictions are stored; nothing where nobody asked."""
    return {} if stored is None else {"stored": stored}
