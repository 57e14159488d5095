"""A class's options as rows of a table: for `tuneloop plugins show` and the reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pydantic

from tuneloop.api import Plugin


class OptionRow(NamedTuple):
    """One option; those of a nested model have a dotted name."""

    name: str
    type: str
    default: str
    description: str


def option_rows(cls: type[Plugin]) -> list[OptionRow]:
    """The options of a class, in order, each nested model's after its own."""
    return list(_rows(cls.Options, ""))


def _rows(model: type[pydantic.BaseModel], prefix: str) -> Iterator[OptionRow]:
    properties = model.model_json_schema().get("properties", {})
    for name, field in model.model_fields.items():
        key = field.alias or name
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield OptionRow(prefix + key, _type(properties.get(key, {})), default, field.description or "")
        for nested in _models(field.annotation):
            yield from _rows(nested, f"{prefix}{key}.")


def _models(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """The models that a mapping in this place is read as; lists of models are not gone into."""
    parts = [annotation, *getattr(annotation, "__args__", ())] if annotation is not None else []
    return [part for part in parts if isinstance(part, type) and issubclass(part, pydantic.BaseModel)]


def _default(value: object) -> str:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump_json()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ", ".join(str(item) or "''" for item in value) or "none"
    return "-" if value is None else str(value)


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema's type in few words."""
    if isinstance(schema.get("enum"), list):
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    for union in ("anyOf", "oneOf"):
        parts = schema.get(union)
        if isinstance(parts, list):
            return " | ".join(text for part in parts if (text := _type(part)) != "null")
    if "$ref" in schema or schema.get("type") == "object":
        return "mapping"
    items = schema.get("items")
    if schema.get("type") == "array":
        return f"list of {_type(items)}" if isinstance(items, dict) and items else "list"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true | false"}
    return words.get(str(schema.get("type")), str(schema.get("type", "any")))
