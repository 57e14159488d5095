"""The OpenAPI page of a server: every path it answers, with the model's own fields and examples."""

from __future__ import annotations

from typing import Any

from tuneloop.serving.doors.openapi_tensors import INFER_REQUEST, INFER_RESPONSE, METADATA, infer_example
from tuneloop.serving.doors.problems import MEDIA_TYPE, TITLES
from tuneloop.serving.doors.schemas import Schemas
from tuneloop.serving.versions.split import KEY_HEADER
from tuneloop.serving.wishes import DURABLE_HEADER, SUBJECT_HEADER

_REF = "#/components/schemas/{model}"

_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_BODY = ("malformed-http", "malformed-json", "invalid-request", "slow-request", "too-large", "wrong-content-type")
"""What may be wrong with any body."""


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
    components: dict[str, Any] = {
        "Problem": _PROBLEM,
        "InferRequest": INFER_REQUEST | infer_example(schemas.columns, schemas.rows),
        "InferResponse": INFER_RESPONSE,
        "ModelMetadata": METADATA,
    }
    for model in (
        schemas.predict_request,
        schemas.predict_response,
        schemas.feedback_request,
        schemas.feedback_response,
    ):
        schema = model.model_json_schema(ref_template=_REF)
        components |= schema.pop("$defs", {})
        components[model.__name__] = schema
    computing = ("overloaded", "not-ready", "deadline")
    storing = ("overloaded", "no-store", "not-ready", "store-unreachable")
    request, response = schemas.predict_request.__name__, schemas.predict_response.__name__
    label, labelled = schemas.feedback_request.__name__, schemas.feedback_response.__name__
    paths: dict[str, dict[str, dict[str, Any]]] = {
        "/predict": {"post": _post("Answer rows.", request, response, *_BODY, *computing)},
        "/feedback": {"post": _post("Send labels back.", label, labelled, *_BODY, *storing)},
        "/v2": {"get": _get("Server metadata.", _OBJECT)},
        "/v2/health/live": {"get": _get("Whether the process lives.", _OBJECT)},
        "/v2/health/ready": {"get": _get("Whether the golden examples were answered.", _OBJECT, "not-ready")},
        **_model_paths(f"/v2/models/{name}", computing),
        **_model_paths(f"/v2/models/{name}/versions/{{version}}", computing, version),
        "/livez": {"get": _get("Whether the process lives.", _TEXT)},
        "/healthz": {"get": _get("Whether the process lives.", _TEXT)},
        "/readyz": {"get": _get("Whether requests are taken.", _TEXT)},
        "/metrics": {"get": _get("Metrics for Prometheus.", _TEXT)},
    }
    paths["/readyz"]["get"]["responses"]["503"] = {"description": "They are not.", "content": _TEXT}
    for path in ("/predict", f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{{version}}/infer"):
        paths[path]["post"].setdefault("parameters", []).extend((_KEY, _DURABLE, _SUBJECT))
    return Document(
        openapi="3.1.0",
        info={"title": name, "version": version, "description": f"The model {name}, served by Tuneloop."},
        servers=[{"url": "."}],
        paths=paths,
        components={"schemas": components},
    )


_KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Requests with equal keys are answered by the same version while another one is tried.",
}

_DURABLE = {
    "name": DURABLE_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["true", "false"]},
    "description": "true: the answer comes once it is stored, and `stored` says whether it is.",
}
_SUBJECT = {
    "name": SUBJECT_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "description": "Whose data the rows are; what is stored of them is erased under this name.",
}

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
        "error": {"type": "string", "description": "The detail, where clients of the Open Inference Protocol look."},
    },
}


def _model_paths(place: str, computing: tuple[str, ...], version: str | None = None) -> dict[str, Any]:
    """What the raw door answers about one model, or about one version of it."""
    unknown = () if version is None else ("unknown-model",)
    asked = {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The version that is live; another one is not served.",
        "schema": {"type": "string", "minLength": 1},
        "example": version,
    }
    said = "Open Inference Protocol v2: the model's tensors or the request's columns in, tensors out."
    infer = _post(said, "InferRequest", "InferResponse", *_BODY, *computing, *unknown)
    answered = infer["responses"]["200"]["content"]
    # JSON of the length that a header says, then the bytes of tensors.
    infer["requestBody"]["content"]["application/octet-stream"] = {}
    answered["application/octet-stream"] = {}
    paths: dict[str, Any] = {
        place: {"get": _get("Inputs and outputs of the model.", _json("ModelMetadata"), "not-ready", *unknown)},
        f"{place}/config": {"get": _get("The same as Triton's clients ask.", _OBJECT, "not-ready", *unknown)},
        f"{place}/ready": {"get": _get("Whether the model answers.", _OBJECT, "not-ready", *unknown)},
        f"{place}/infer": {"post": infer},
    }
    if version is not None:
        for operation in (one for operations in paths.values() for one in operations.values()):
            operation["parameters"] = [asked]
    return paths


def _post(said: str, request: str, response: str, *refused: str) -> dict[str, Any]:
    return {
        "summary": said,
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {"200": {"description": "Done.", "content": _json(response)}, **_problems(*refused)},
    }


def _get(said: str, content: dict[str, Any], *refused: str) -> dict[str, Any]:
    return {
        "summary": said,
        "responses": {"200": {"description": "Yes.", "content": content}, **_problems("malformed-http", *refused)},
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=name)}}}


def _problems(*kinds: str) -> dict[str, Any]:
    """The responses of these kinds of problems, and of those that a model has no say in."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    found: dict[str, Any] = {}
    for kind in (*kinds, "head-too-large", "internal"):
        status, title = TITLES[kind]
        said = found.get(str(status), {}).get("description")
        found[str(status)] = {"description": f"{said}. {title}" if said else title, "content": content}
    return found
