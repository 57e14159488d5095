"""`generate` and `generate_stream`: the extension of the Open Inference Protocol for models that generate.

Source: the generate extension of the Triton Inference Server and KServe: `text_input` in, `text_output` out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.serving.doors.body import parse_object
from tuneloop.serving.doors.generating.asked import Asked, object_of, read_options
from tuneloop.serving.doors.problems import Problem


def read_generate(body: bytes, column: str, *, stream: bool) -> tuple[str | None, Asked]:
    """The id that the answer repeats, and what is asked for.

    Raises:
        Problem: It is no such request; names the member at fault.
    """
    given = parse_object(body, ("id", "text_input", "parameters"))
    id_, text, parameters = given.get("id"), given.get("text_input"), object_of(given, "parameters")
    if id_ is not None and not isinstance(id_, str):
        raise Problem("invalid-request", "must be a text", "id")
    if not isinstance(text, str):
        raise Problem("invalid-request", "must be a text", "text_input")
    # The path says already whether the answer is streamed.
    wanted = {name: value for name, value in parameters.items() if name != "stream"}
    return id_, Asked([{column: text}], read_options(wanted), stream)


def written(model: str, version: str, text: str, id_: str | None, **more: Any) -> Mapping[str, Any]:
    """One answer, or one piece of it."""
    said = {"model_name": model, "model_version": version, "text_output": text, **more}
    return said if id_ is None else {"id": id_, **said}
