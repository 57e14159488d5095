"""Requests of OpenAI's API: what they may hold, and what they come to.

Source: OpenAI's published specification of `/v1/completions` and `/v1/chat/completions`. What would change an answer
and is not done here is refused, unless it asks for nothing; what only names the caller is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuneloop.serving.doors.body import parse_object
from tuneloop.serving.doors.generating.asked import Asked, flag, object_of, read_options
from tuneloop.serving.doors.problems import Problem

MOST_CHOICES = 8
_SHARED = ("model", "max_tokens", "temperature", "top_p", "top_k", "n", "stop", "seed", "stream", "stream_options")
_UNREAD = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
_NOTHING: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "echo": (False,),
    "suffix": ("",),
    "best_of": (1,),
    "tools": ([],),
    "tool_choice": ("none",),
    "functions": ([],),
    "function_call": ("none",),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Members that are not done here, with the values that ask for nothing; null is one too."""
_OPTIONS = {"max_tokens": "max_tokens", "max_completion_tokens": "max_tokens"}


def read_completion(body: bytes, model: str, column: str) -> Asked:
    """A request to `/v1/completions`.

    Args:
        body: Of the request.
        model: The one that is served.
        column: The request column of prompts.

    Raises:
        Problem: It is no such request; names the member at fault.
    """
    given = _members(body, model, ("prompt",))
    prompt = given.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not prompts or not all(isinstance(one, str) for one in prompts):
        raise Problem("invalid-request", "is a text or a list of texts; tokens are not taken", "prompt")
    return _asked(given, [{column: one} for one in prompts])


def read_chat(body: bytes, model: str, column: str, render: Callable[[list[dict[str, str]]], str]) -> Asked:
    """A request to `/v1/chat/completions`; arguments and errors as for `read_completion`, `render` makes the prompt."""
    given = _members(body, model, ("messages", "max_completion_tokens"))
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Problem("invalid-request", "is a list of messages, at least one", "messages")
    prompt = render([_message(one, position) for position, one in enumerate(messages)])
    return _asked(given, [{column: prompt}], rendered=True)


def _members(body: bytes, model: str, own: tuple[str, ...]) -> Mapping[str, Any]:
    given = parse_object(body, (*_SHARED, *own, *_UNREAD, *_NOTHING))
    wanted = given.get("model")
    if not isinstance(wanted, str):
        raise Problem("invalid-request", f"names the model; served: {model}", "model")
    if wanted != model:
        raise Problem("unknown-model", f"the model {wanted[:80]!r} is not served here; served: {model}", "model")
    for name, nothing in _NOTHING.items():
        value = given.get(name)
        if value is not None and value not in nothing:
            raise Problem("invalid-request", "is not supported here; leave it out", name)
    return given


def _asked(given: Mapping[str, Any], rows: list[Any], *, rendered: bool = False) -> Asked:
    count = given.get("n")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_CHOICES):
        raise Problem("invalid-request", f"is a whole number from 1 to {MOST_CHOICES}", "n")
    rows = [row for row in rows for _ in range(count or 1)]
    wanted = {
        name: value
        for name in (*_OPTIONS, "temperature", "top_p", "top_k", "stop", "seed")
        if (value := given.get(name)) is not None
    }
    # As OpenAI has it: who wants the most probable text says so.
    wanted.setdefault("temperature", 1.0)
    settings = object_of(given, "stream_options")
    stream = flag(given, "stream")
    if stream and len(rows) > 1:
        raise Problem("invalid-request", "one text is streamed at a time: send one prompt, and no n", "stream")
    return Asked(
        rows,
        read_options(wanted, {name: ours for name, ours in _OPTIONS.items() if name in wanted}),
        stream,
        flag(settings, "include_usage"),
        rendered,
    )


def _message(given: Any, position: int) -> dict[str, str]:
    if not isinstance(given, dict) or not isinstance(given.get("role"), str):
        raise Problem("invalid-request", "a message is an object with: role, content", "messages", position)
    content = given.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        known = [text for text in texts if isinstance(text, str)]
        content = "".join(known) if len(known) == len(content) else None
    if not isinstance(content, str):
        raise Problem("invalid-request", "has a content that is no text", "messages", position)
    return {"role": given["role"], "content": content}
