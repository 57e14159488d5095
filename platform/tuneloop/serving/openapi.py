"""The OpenAPI page of a server: every path it answers, with the model's own fields and examples."""

from __future__ import annotations

from typing import Any

import pydantic

from tuneloop.serving.problems import MEDIA_TYPE, TITLES
from tuneloop.serving.schemas import Schemas

_REF = "#/components/schemas/{model}"


class Document(dict[str, Any]):
    """An OpenAPI document; BentoML asks it for `asdict`."""

    def asdict(self) -> dict[str, Any]:
        """Itself, as a plain dictionary."""
        return dict(self)


def make_document(name: str, version: str, schemas: Schemas) -> Document:
    """The document.

    Args:
        name: Name of the model.
        version: Of the Bento.
        schemas: Of the typed door.
    """
    components: dict[str, Any] = {"Problem": _PROBLEM}
    for model in (
        schemas.predict_request,
        schemas.predict_response,
        schemas.feedback_request,
        schemas.feedback_response,
    ):
        schema = model.model_json_schema(ref_template=_REF)
        components |= schema.pop("$defs", {})
        components[model.__name__] = schema
    refusals = (
        "malformed-json",
        "slow-request",
        "too-large",
        "wrong-content-type",
        "overloaded",
        "not-ready",
        "deadline",
    )
    refused = ("invalid-request", "too-many-rows", *refusals)
    place = f"/v2/models/{name}"
    paths = {
        "/predict": {"post": _post("Answer rows.", schemas.predict_request, schemas.predict_response, refused)},
        "/feedback": {
            "post": _post(
                "Send labels back.",
                schemas.feedback_request,
                schemas.feedback_response,
                ("invalid-request", *refusals, "no-store", "store-unreachable"),
            )
        },
        "/v2": {"get": _get("Server metadata.")},
        "/v2/health/live": {"get": _get("Whether the process lives.")},
        "/v2/health/ready": {"get": _get("Whether the golden examples were answered.", "not-ready")},
        place: {"get": _get("Inputs and outputs of the model.", "not-ready")},
        f"{place}/ready": {"get": _get("Whether the model answers.", "not-ready")},
        f"{place}/infer": {"post": _infer()},
        "/livez": {"get": _get("Whether the process lives.")},
        "/healthz": {"get": _get("Whether the process lives.")},
        "/readyz": {"get": _get("Whether requests are taken.", "not-ready")},
        "/metrics": {"get": _get("Metrics for Prometheus.")},
    }
    return Document(
        openapi="3.1.0",
        info={"title": name, "version": version, "description": f"The model {name}, served by Tuneloop."},
        servers=[{"url": "."}],
        paths=paths,
        components={"schemas": components},
    )


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [f"urn:tuneloop:problem:{kind}" for kind in TITLES]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "The column or key at fault."},
        "row": {"type": "integer", "description": "The position of the row at fault, from 0."},
    },
}


def _post(
    said: str, request: type[pydantic.BaseModel], response: type[pydantic.BaseModel], refused: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "summary": said,
        "requestBody": {"required": True, "content": _json(request.__name__)},
        "responses": {"200": {"description": "Done.", "content": _json(response.__name__)}, **_problems(*refused)},
    }


def _get(said: str, *refused: str) -> dict[str, Any]:
    return {"summary": said, "responses": {"200": {"description": "Yes."}, **_problems(*refused)}}


def _infer() -> dict[str, Any]:
    anything = {"application/json": {"schema": {"type": "object"}}}
    return {
        "summary": "Open Inference Protocol v2: tensors in, tensors out.",
        "requestBody": {"required": True, "content": anything},
        "responses": {
            "200": {"description": "Done.", "content": anything},
            **_problems(
                "malformed-json", "invalid-request", "slow-request", "too-large", "wrong-content-type", "overloaded"
            ),
        },
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=name)}}}


def _problems(*kinds: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {str(TITLES[kind][0]): {"description": TITLES[kind][1], "content": content} for kind in kinds}
