"""`POST /feedback`: the labels in a request checked, handed to the engine, and what became of them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pydantic

from tuneloop.serving.doors.body import MOST_LABELS, Receive, list_of, parse_object
from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.doors.schemas import FeedbackItem
from tuneloop.serving.engine import LARGE_REQUEST_BYTES, Engine


async def take_feedback(engine: Engine, receive: Receive) -> bytes:
    """The JSON of a `FeedbackResponse` to the body of an ASGI request.

    Raises:
        Problem: The body is no `FeedbackRequest`; names the item and the key at fault. Nothing was taken.
        NoStoreError: There is nothing to join labels in.
        StoreUnreachableError: Its database does not answer.
    """
    body = await engine.bodies.read(receive)
    try:
        return await _labelled(engine, body)
    finally:
        engine.bodies.done(body)


async def _labelled(engine: Engine, body: bytes) -> bytes:
    large = len(body) > LARGE_REQUEST_BYTES
    results = await engine.label(await asyncio.to_thread(_items, body) if large else _items(body))
    states = [result.status for result in results]
    joined = states.count("new") + states.count("changed")
    return orjson.dumps(
        {
            "stored": joined + states.count("orphaned"),
            "joined": joined,
            "orphaned": states.count("orphaned"),
            "changed": states.count("changed"),
            "unchanged": states.count("same"),
            "unsampled": states.count("unsampled"),
            "refused": [
                {"item": position, "id": result.id, "reason": result.reason}
                for position, result in enumerate(results)
                if result.status == "refused"
            ],
        }
    )


def _items(body: bytes) -> list[tuple[str, Any]]:
    given = list_of(parse_object(body, ("items",)), "items", "items", MOST_LABELS)
    items = [_item(one, position) for position, one in enumerate(given)]
    return [(item.id, item.label) for item in items]


def _item(given: Any, position: int) -> FeedbackItem:
    try:
        return FeedbackItem.model_validate(given)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
    if not first["loc"]:
        raise Problem("invalid-request", "an item is an object with: id, label", row=position)
    key = str(first["loc"][0])
    said = {
        "missing": "is absent; an item has: id, label",
        "extra_forbidden": "is not known here; an item has: id, label",
    }.get(first["type"])
    if said is None:
        # A label may be of several types, and pydantic complains of each.
        label = "must be a text, a number, true or false, or a list of tags"
        said = label if key == "label" else f"is refused: {first['msg']}"
    raise Problem("invalid-request", said, key[:80], position)
