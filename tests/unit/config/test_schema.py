"""The JSON schema for editors."""

from __future__ import annotations

import json
import re
from typing import Any

from tuneloop.config import project_schema
from tuneloop.plugins import PluginManager


def branch(definition: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    found = [each["then"] for each in definition["allOf"] if each["if"]["properties"][key] == {"const": name}]
    assert len(found) == 1
    return dict(found[0])


def test_options_of_plugins_join_their_sections(plugins: PluginManager) -> None:
    schema = project_schema(plugins)
    definitions = schema["$defs"]
    assert schema["required"] == ["name", "task", "data", "model", "tune"]
    assert set(schema["properties"]["task"]["enum"]) == set(plugins.names("task"))
    assert definitions["DataShape"]["properties"]["source"]["enum"] == ["csv", "jsonl"]
    assert branch(definitions["DataShape"], "source", "csv")["required"] == ["path"]
    tune = branch(definitions["TuneShape"], "strategy", "full")
    assert tune["properties"]["early_stopping"]["anyOf"][0] == {"$ref": "#/$defs/strategy.full.Stopping"}
    assert "required" not in definitions["ExportShape"]["allOf"][0]["if"]
    assert "delta" in branch(definitions["DetectorShape"], "name", "adwin")["properties"]
    assert "column" in branch(definitions["TransformShape"], "name", "text-clean")["properties"]
    windows = definitions["MonitorShape"]["properties"]["window"]["anyOf"]
    assert windows[0] == {"const": "auto"}
    assert windows[1]["pattern"].startswith("^")


def test_every_reference_is_there(plugins: PluginManager) -> None:
    schema = project_schema(plugins)
    for target in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)):
        assert target in schema["$defs"]


def test_every_key_is_described(plugins: PluginManager) -> None:
    schema = project_schema(plugins)
    for name, definition in [("", schema), *schema["$defs"].items()]:
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"


def test_it_works_without_plugins() -> None:
    assert "enum" not in project_schema(PluginManager())["properties"]["task"]
