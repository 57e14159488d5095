"""One request for text, whichever door it came through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from tuneloop.api import Row
from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.generating.options import GenerationOptions


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        rows: One a text.
        options: How they are generated.
        stream: Whether the text is sent while it is generated.
        usage: Whether a stream ends with the numbers of its tokens.
        rendered: Whether the prompts came from a chat template.
    """

    rows: Sequence[Row]
    options: GenerationOptions
    stream: bool = False
    usage: bool = False
    rendered: bool = False


def read_options(given: Mapping[str, Any], names: Mapping[str, str] | None = None) -> GenerationOptions:
    """Options from what a client sent; null is as good as absent.

    Args:
        given: Names and values.
        names: What the client calls an option that has another name here.

    Raises:
        Problem: One is not known, or not what it must be; names it.
    """
    called = {ours: theirs for theirs, ours in (names or {}).items()}
    ours = {(names or {}).get(name, name): value for name, value in given.items() if value is not None}
    for name in ("temperature", "top_p", "length_penalty"):
        # JSON knows no difference between 1 and 1.0.
        if isinstance(ours.get(name), int) and not isinstance(ours[name], bool):
            ours[name] = float(ours[name])
    if isinstance(ours.get("stop"), str):
        ours["stop"] = [ours["stop"]]
    try:
        return GenerationOptions.model_validate(ours)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "options"
    said = {"extra_forbidden": f"is not known here; there are: {', '.join(GenerationOptions.model_fields)}"}
    reason = said.get(first["type"], first["msg"].removeprefix("Value error, "))
    raise Problem("invalid-request", reason, called.get(name, name)[:80])


def object_of(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; absent or null: an empty one.

    Raises:
        Problem: It is something else.
    """
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise Problem("invalid-request", "must be an object", name)
    return value or {}


def flag(given: Mapping[str, Any], name: str) -> bool:
    """A member that is true or false; absent or null: false.

    Raises:
        Problem: It is something else.
    """
    value = given.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Problem("invalid-request", "is true or false", name)
    return value
