"""The JSON schema of a project file, for editors, with the options of every loaded plugin."""

from __future__ import annotations

from typing import Any

import pydantic

from tuneloop.config.candidates import CandidatesShape
from tuneloop.config.shape import NAMED, DetectorShape, ProjectShape, TransformShape
from tuneloop.plugins import Kind, PluginManager

_SECTION_KINDS: dict[str, Kind] = {
    "data": "data source",
    "model": "base model",
    "tune": "strategy",
    "launch": "launcher",
    "export": "exporter",
}


def project_schema(plugins: PluginManager) -> dict[str, Any]:
    """JSON schema, draft 2020-12, of `tuneloop.yaml`.

    In a section that names a plugin, the plugin's options join the section's own keys by `if` and `then`.
    """
    schema = ProjectShape.model_json_schema()
    definitions = schema["$defs"]
    for section, kind in _SECTION_KINDS.items():
        key, shape = NAMED[section]
        _join_options(definitions, shape.__name__, key, kind, plugins)
    _list_choices(definitions, "DataShape", "transforms", TransformShape, "transform", plugins)
    _list_choices(definitions, "MonitorShape", "detectors", DetectorShape, "detector", plugins)
    _candidates(schema, definitions)
    _name_choices(schema["properties"]["task"], plugins.names("task"))
    metrics = plugins.names("metric")
    if metrics:
        listed = next(
            part for part in definitions["EvaluateShape"]["properties"]["metrics"]["anyOf"] if "items" in part
        )
        listed["items"] = {"type": "string", "enum": list(metrics)}
        definitions["ChampionShape"]["properties"]["metric"]["enum"] = list(metrics)
        definitions["GateShape"]["properties"]["require"]["propertyNames"] = {"enum": list(metrics)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "tuneloop.yaml",
        "description": "A Tuneloop project.",
    }


def _join_options(definitions: dict[str, Any], target: str, key: str, kind: Kind, plugins: PluginManager) -> None:
    """Add the options of every plugin of a kind to the definition of the section that names one."""
    definition = definitions[target]
    definition.pop("additionalProperties", None)
    definition["unevaluatedProperties"] = False
    _name_choices(definition["properties"][key], plugins.names(kind))
    branches = []
    for cls in plugins.classes(kind):
        options = _options(definitions, kind, cls.name, cls.Options)
        condition: dict[str, Any] = {"properties": {key: {"const": cls.name}}}
        if "default" not in definition["properties"][key]:
            condition["required"] = [key]
        branches.append({"if": condition, "then": options})
    if branches:
        definition["allOf"] = branches


def _list_choices(
    definitions: dict[str, Any],
    section: str,
    key: str,
    shape: type[pydantic.BaseModel],
    kind: Kind,
    plugins: PluginManager,
) -> None:
    """A list of plugins of a kind: names, or mappings of a shape with the options of each plugin."""
    definitions[shape.__name__] = shape.model_json_schema()
    _join_options(definitions, shape.__name__, "name", kind, plugins)
    names = list(plugins.names(kind))
    definitions[section]["properties"][key]["items"] = {
        "anyOf": [{"type": "string", "enum": names} if names else {"type": "string"}, _ref(shape.__name__)]
    }


def _candidates(schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """The section `model` names one base model, or candidates that each look like it."""
    shape = CandidatesShape.model_json_schema()
    definitions |= shape.pop("$defs")
    shape["properties"]["candidates"]["items"] = _ref("ModelShape")
    definitions["CandidatesShape"] = shape
    model = schema["properties"]["model"]
    model["anyOf"] = [{"$ref": model.pop("$ref")}, _ref("CandidatesShape")]


def _options(definitions: dict[str, Any], kind: str, name: str, model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """One plugin's options; its nested definitions move up under names of their own."""
    prefix = f"{kind.replace(' ', '-')}.{name}."
    schema = model.model_json_schema(ref_template="#/$defs/" + prefix + "{model}")
    for inner, definition in schema.pop("$defs", {}).items():
        definitions[prefix + inner] = definition
    open_ended = schema.get("additionalProperties") not in (None, False)
    kept: dict[str, Any] = {part: schema[part] for part in ("properties", "required") if part in schema}
    if open_ended:
        kept["additionalProperties"] = True
    return kept


def _name_choices(field: dict[str, Any], names: tuple[str, ...]) -> None:
    if names:
        field["enum"] = list(names)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}
