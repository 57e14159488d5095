"""What the OpenAPI page says of the doors that generate."""

from __future__ import annotations

from typing import Any

from tuneloop.serving.doors.problems import MEDIA_TYPE, TITLES
from tuneloop.serving.generating.options import MOST_TEXTS, GenerationOptions

_REFUSALS = ("malformed-json", "slow-request", "unknown-model", "too-large", "wrong-content-type", "invalid-request")
_COMPUTING = ("overloaded", "internal", "not-ready", "deadline")

_NUMBER = {"type": ["number", "null"]}
_WHOLE = {"type": ["integer", "null"]}
_TRUTH = {"type": ["boolean", "null"]}
_SHARED: dict[str, Any] = {
    "max_tokens": _WHOLE | {"minimum": 1, "description": "Tokens generated, at most."},
    "temperature": _NUMBER | {"minimum": 0, "maximum": 100, "description": "0: the most probable text; default 1."},
    "top_p": _NUMBER | {"exclusiveMinimum": 0, "maximum": 1},
    "top_k": _WHOLE | {"minimum": 0, "description": "Beyond OpenAI's API: tokens that may be drawn; 0: all."},
    "n": _WHOLE | {"minimum": 1, "maximum": 8, "description": "Texts a prompt; 1 where they are streamed."},
    "seed": _WHOLE | {"minimum": 0},
    "stop": {"type": ["string", "array", "null"], "items": {"type": "string"}, "maxItems": 16},
    "stream": _TRUTH | {"description": "Server-sent events, ended by [DONE]."},
    "stream_options": {"type": ["object", "null"], "properties": {"include_usage": _TRUTH}},
}


def add_generating(document: dict[str, Any], name: str, *, chat: bool) -> None:
    """Add the doors of a model that generates to an OpenAPI document.

    Args:
        document: As `make_document` made it.
        name: Of the model.
        chat: Whether its tokenizer has a chat template.
    """
    schemas, paths = document["components"]["schemas"], document["paths"]
    model = {"type": "string", "enum": [name]}
    schemas["CompletionRequest"] = {
        "type": "object",
        "required": ["model", "prompt"],
        "properties": {
            "model": model,
            "prompt": {"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_TEXTS},
            **_SHARED,
        },
        "example": {"model": name, "prompt": "Once upon a time", "max_tokens": 16, "temperature": 0},
    }
    schemas["ChatRequest"] = {
        "type": "object",
        "required": ["model", "messages"],
        "properties": {
            "model": model,
            "messages": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ChatMessage"}},
            **_SHARED,
        },
        "example": {"model": name, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16},
    }
    schemas["ChatMessage"] = {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": {"type": "string"}, "content": {"type": "string"}},
    }
    options = GenerationOptions.model_json_schema()
    schemas["GenerateRequest"] = {
        "type": "object",
        "required": ["text_input"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": ["string", "null"]},
            "text_input": {"type": "string", "minLength": 1},
            "parameters": options,
        },
        "example": {"text_input": "Once upon a time", "parameters": {"max_tokens": 16}},
    }
    place = f"/v2/models/{name}"
    paths["/v1/completions"] = _post("OpenAI's completions.", "CompletionRequest")
    if chat:
        paths["/v1/chat/completions"] = _post("OpenAI's chat completions.", "ChatRequest")
    paths["/v1/models"] = _get("The model, as OpenAI's clients ask.")
    paths[f"/v1/models/{name}"] = _get("The same, without a list.")
    paths[f"{place}/generate"] = _post("Open Inference Protocol: a text in, its continuation out.", "GenerateRequest")
    paths[f"{place}/generate_stream"] = _post("The same as server-sent events.", "GenerateRequest")


def _post(said: str, request: str) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{request}"}}}
    answered = {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}
    if not request.startswith("Generate"):
        answered["content"]["text/event-stream"] = {}  # type: ignore[index]
    if "events" in said:
        answered["content"] = {"text/event-stream": {}}
    return {
        "post": {
            "summary": said,
            "requestBody": {"required": True, "content": body},
            "responses": {"200": answered, **_problems(*_REFUSALS, *_COMPUTING)},
        }
    }


def _get(said: str) -> dict[str, Any]:
    answered = {"description": "Yes.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"get": {"summary": said, "responses": {"200": answered, **_problems("malformed-http", "internal")}}}


def _problems(*kinds: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {}
    for kind in kinds:
        status, title = TITLES[kind]
        found[str(status)] = {"description": title, "content": content}
    return found
