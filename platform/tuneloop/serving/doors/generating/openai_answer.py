"""Answers of OpenAI's API, whole or in chunks.

Source: OpenAI's published specification. `id` is that of the prediction behind a dash: labels come back under it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.api import Answer
from tuneloop.serving.doors.problems import Problem


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of the two doors writes its answers."""

    chat: bool

    def whole(self, model: str, ids: Sequence[str], answers: Sequence[Answer]) -> dict[str, Any]:
        """All texts at once."""
        choices = [self._choice(i, answer["text"], answer["finish_reason"]) for i, answer in enumerate(answers)]
        kind = "chat.completion" if self.chat else "text_completion"
        return self._head(model, ids[0], kind) | {"choices": choices, "usage": _usage(answers)}

    def chunk(
        self, model: str, id_: str, piece: str, reason: str | None = None, *, first: bool = False
    ) -> dict[str, Any]:
        """A piece of a text; the last one says why it ends."""
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": reason}
        if self.chat:
            delta: dict[str, Any] = {"content": piece} if piece or first else {}
            choice["delta"] = {"role": "assistant", **delta} if first else delta
        else:
            choice["text"] = piece
        return self._head(model, id_, "chat.completion.chunk" if self.chat else "text_completion") | {
            "choices": [choice]
        }

    def usage(self, model: str, id_: str, answer: Answer) -> dict[str, Any]:
        """The chunk that tells the numbers of tokens."""
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return self._head(model, id_, kind) | {"choices": [], "usage": _usage([answer])}

    def _choice(self, index: int, text: str, reason: str) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text, "refusal": None}} if self.chat else {"text": text}
        return {"index": index, **said, "logprobs": None, "finish_reason": reason}

    def _head(self, model: str, id_: str, kind: str) -> dict[str, Any]:
        prefix = "chatcmpl" if self.chat else "cmpl"
        return {"id": f"{prefix}-{id_}", "object": kind, "created": int(time.time()), "model": model}


def model_card(model: str, created: int) -> dict[str, Any]:
    """One entry of `/v1/models`."""
    return {"id": model, "object": "model", "created": created, "owned_by": "tuneloop"}


def error_of(problem: Problem) -> Mapping[str, Any]:
    """A problem under `error`, where clients of OpenAI's API look for it."""
    kind = "invalid_request_error" if problem.status < 500 else "server_error"
    return {"message": problem.said, "type": kind, "param": problem.field, "code": problem.kind.replace("-", "_")}


def _usage(answers: Sequence[Answer]) -> dict[str, int]:
    prompt, made = (sum(answer[name] for answer in answers) for name in ("prompt_tokens", "completion_tokens"))
    return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}
