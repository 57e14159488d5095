"""The dashboards as Grafana reads them."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.grafana.boards import boards
from tuneloop.monitoring.grafana.build import Look, dashboards
from tuneloop.monitoring.rules import DASHBOARD_LINKS

LOOK = Look(model="desk", mlflow="http://mlflow:5000/", span=3600, refresh=5)
BOARDS = {plan.name: plan for plan in boards()}
MARKS = ("titleFormat", "textFormat", "step")
"""Of Prometheus' annotations; the SDK does not know them."""


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    return {name: json.loads(text) for name, text in dashboards(LOOK).items()}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def plain(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Without what a kind of panel draws, and without what the SDK does not know."""
    for panel in panels(dashboard):
        panel["fieldConfig"]["defaults"].pop("custom", None)
    for note in dashboard["annotations"].get("list", []):
        for name in MARKS:
            note.pop(name, None)
    return dashboard


@pytest.mark.parametrize("name", BOARDS)
def test_it_survives_the_sdk(name: str, made: dict[str, dict[str, Any]]) -> None:
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(made[name]), cls=JSONEncoder))
    # Reading spells out the defaults of what a kind of panel draws.
    for panel, before in zip(panels(again), panels(made[name]), strict=True):
        drawn, wanted = (one["fieldConfig"]["defaults"].get("custom", {}) for one in (panel, before))
        assert wanted.items() <= drawn.items()
    assert plain(again) == plain(copy.deepcopy(made[name]))
    assert dashboards(LOOK)[name] == json.dumps(made[name], indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("name", BOARDS)
def test_panels_are_those_planned_and_do_not_overlap(name: str, made: dict[str, dict[str, Any]]) -> None:
    dashboard = made[name]
    assert [one["title"] for one in panels(dashboard)] == [
        one.title for row in BOARDS[name].rows.values() for one in row
    ]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels(dashboard))
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        here = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not here & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= here


def test_every_variable_in_a_query_is_a_choice(made: dict[str, dict[str, Any]]) -> None:
    for name, dashboard in made.items():
        chosen = {one["name"] for one in dashboard["templating"]["list"]}
        queries = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
        queries += [one["expr"] for one in dashboard["annotations"].get("list", [])]
        queries += [one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
        used = {found for query in queries for found in re.findall(r"\$(\w+)", query)}
        assert used - {"__rate_interval", "__range"} <= chosen, name


def test_links_lead_to_dashboards_that_are_there(made: dict[str, dict[str, Any]]) -> None:
    uids = {dashboard["uid"]: dashboard for dashboard in made.values()}
    assert len(uids) == len(made)
    texts = [*map(json.dumps, made.values()), *DASHBOARD_LINKS.values()]
    for text in texts:
        for uid, query in re.findall(r"/d/([\w-]+)\?([^\"\s]*)", text):
            choices = {one["name"] for one in uids[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)", query)) <= choices


def test_a_dashboard_leads_to_the_model_and_its_reports(made: dict[str, dict[str, Any]]) -> None:
    links = {link["title"]: link for link in made["drift"]["links"]}
    assert links["Versions and reports"]["url"] == "http://mlflow:5000/#/models/${model}"
    assert made["overview"]["links"][1]["url"] == "http://mlflow:5000/#/models"
    assert (links["Tuneloop"]["type"], links["Tuneloop"]["tags"]) == ("dashboards", ["tuneloop"])
    assert [link["title"] for link in json.loads(dashboards(Look())["drift"])["links"]] == ["Tuneloop"]


def test_the_look_is_that_of_the_project(made: dict[str, dict[str, Any]]) -> None:
    drift = made["drift"]
    assert (drift["time"]["from"], drift["refresh"]) == ("now-3600s", "5s")
    model = next(one for one in drift["templating"]["list"] if one["name"] == "model")
    assert model["current"]["value"] == "desk"


def test_an_interval_is_a_band(made: dict[str, dict[str, Any]]) -> None:
    band = next(panel for panel in panels(made["accuracy"]) if "share of right" in panel["title"])
    overrides = {one["matcher"]["options"]: one["properties"] for one in band["fieldConfig"]["overrides"]}
    assert {"id": "custom.fillBelowTo", "value": "lower end"} in overrides["upper end"]
    assert {"lower end", "upper end"} <= {target["legendFormat"] for target in band["targets"]}
    assert band["repeat"] == "version"


def test_marks_say_what_happened(made: dict[str, dict[str, Any]]) -> None:
    marks = {note["name"]: note for note in made["model"]["annotations"]["list"]}
    assert marks["Version went live"]["titleFormat"] == "Version {{version}} went live"
    assert marks["Alert"]["textFormat"] == "{{signal}} version {{version}}"


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[grafana\]"):
        dashboards(Look())
