"""The dashboard: what Grafana reads, and every query of it on a real Prometheus."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY, generate_latest

from tuneloop.api import MissingExtraError, Signal, SignalBatch
from tuneloop.monitoring.counters import SignalCounters
from tuneloop.monitoring.dashboard_panels import panel_plans
from tuneloop.monitoring.dashboards import dashboard_uid, model_dashboard
from tuneloop.monitoring.grafana import grafana_files
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Stack, find_stack
from tuneloop.monitoring.webhook import get

needs_stack = pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")
VALUES = WatchValues("dashboard-desk", window=8, min_rows=100, min_labels=50, scrape_interval=1)
STRANGE = 'odd "quoted":message'


class Word(Signal):
    """A signal as a plugin writes it."""

    name, kind = "language", "category"

    @classmethod
    def create(cls, columns: Any, tensors: Any, output_names: Any, embedding_size: int) -> list[Signal]:
        return []

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def read(self, batch: SignalBatch) -> Any:
        return np.array([row["message"] for row in batch.rows], dtype=object)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def expressions(dashboard: dict[str, Any]) -> dict[str, str]:
    """Every query by its panel and letter, with variables as Grafana fills them in."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels(dashboard)
        for target in panel["targets"]
    }


def filled(text: str, signal: str) -> str:
    escaped = signal.replace("\\", "\\\\").replace('"', '\\"')
    chosen = {"model": VALUES.model, "version": "(1|2)", "signal": escaped, "__rate_interval": "4s"}
    return re.sub(r"\$(\w+)", lambda found: chosen[found[1]], text)


def variables(dashboard: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Series and label of each variable that asks Prometheus."""
    found = {}
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            match = re.fullmatch(r"label_values\((.*), (\w+)\)", one["query"]["query"])
            assert match is not None
            found[one["name"]] = (match[1], match[2])
    return found


def test_the_dashboard_survives_the_sdk_and_names_no_signal() -> None:
    register_default_plugins()
    text = model_dashboard(VALUES)
    plain = json.loads(text)
    again = json.loads(json.dumps(Dashboard.from_json(plain), cls=JSONEncoder))
    # Reading spells out the defaults of what a kind of panel draws, and changes nothing else.
    for panel in panels(again):
        panel["fieldConfig"]["defaults"].pop("custom", None)
    expected = json.loads(text)
    for panel in panels(expected):
        panel["fieldConfig"]["defaults"].pop("custom", None)
    assert again == expected
    assert plain["title"] == "Tuneloop: dashboard-desk"
    titles = [panel["title"] for panel in panels(plain)]
    assert titles == [plan.title for plans in panel_plans(VALUES).values() for plan in plans]
    assert len({panel["id"] for panel in plain["panels"]}) == len(plain["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels(plain))
    drift = next(panel for panel in panels(plain) if panel["title"].startswith("Drift"))
    assert [step["value"] for step in drift["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 4.0]
    assert [one["name"] for one in plain["templating"]["list"]] == ["datasource", "model", "version", "signal"]
    assert model_dashboard(VALUES) == text


def test_panels_fill_rows_and_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(model_dashboard(VALUES))["panels"]:
        at = panel["gridPos"]
        here = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not here & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= here


def test_uids_are_short_and_differ() -> None:
    long = [dashboard_uid("a" * 39 + end) for end in "bc"]
    assert len(set(long)) == 2
    assert all(len(uid) == 40 for uid in long)


def test_provisioning_takes_paths_literally(tmp_path: Path) -> None:
    files = grafana_files(VALUES, tmp_path / "a$HOME", "http://prometheus:9090")
    assert f"{tmp_path}/a$$HOME/dashboards" in files["provisioning/dashboards/tuneloop.yaml"]
    assert "http://prometheus:9090" in files["provisioning/datasources/tuneloop.yaml"]
    assert "timeInterval: 1s" in files["provisioning/datasources/tuneloop.yaml"]
    assert "TuneloopSignalDrift" in files["rules.yml"]


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[grafana\]"):
        model_dashboard(VALUES)


@needs_stack
def test_every_query_answers_and_signals_of_plugins_appear(
    tmp_path: Path, page: Any, make_batch: Any, wait_until: Any
) -> None:
    signals = [Word("language:message"), Word(STRANGE)]
    usual = [{"message": "en" if i % 3 else "it"} for i in range(300)]
    shifted = [{"message": "nl" if i % 2 else "it"} for i in range(60)]
    reference = build_reference(signals, [make_batch(usual)], errors=[0.0] * 270 + [1.0] * 30)
    made = metrics()
    served = []
    for version in ("1", "2"):
        one = (VALUES.model, version)
        served.append(SignalCounters(reference, signals, made, *one))
        served[-1].publish_reference()
        made.live_version.labels(*one, "f" * 64).set(1)
        made.signal_failures.labels(*one, "broken:message").inc()

    def work() -> str:
        """A page on which everything happened since the last one."""
        for version, counters in zip(("1", "2"), served, strict=True):
            counters.observe(make_batch(shifted))
            counters.flush()
            made.predictions.labels(VALUES.model, version).inc(60)
            made.prediction_seconds.labels(VALUES.model, version).observe(0.004)
            made.labels.labels(VALUES.model, version, "correct").inc(30)
            made.labels.labels(VALUES.model, version, "wrong").inc(30)
        made.requests_refused.labels(VALUES.model, "too-large").inc()
        made.store_dropped_rows.labels(VALUES.model).inc()
        made.store_errors.labels(VALUES.model).inc()
        return generate_latest(REGISTRY).decode()

    page.text = work
    dashboard = json.loads(model_dashboard(VALUES))
    with Stack(tmp_path, VALUES, [page.url], "http://127.0.0.1:9/") as stack:
        stack.wait_ready()

        def ask(expression: str) -> list[dict[str, Any]]:
            answer = json.loads(get(f"{stack.prometheus_url}/api/v1/query?query={quote(expression)}"))
            return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]

        def ask_labels(name: str) -> set[str]:
            series, label = variables(dashboard)[name]
            match = quote(filled(series, ""))
            return set(json.loads(get(f"{stack.prometheus_url}/api/v1/label/{label}/values?match[]={match}"))["data"])

        asked = expressions(dashboard)
        for signal in ("language:message", STRANGE):
            for expression in asked.values():
                # A partial, so that a failure quotes the expression.
                wait_until(functools.partial(ask, filled(expression, signal)))
        assert ask_labels("version") == {"1", "2"}
        assert ask_labels("signal") == {"language:message", STRANGE}
        for title in ("Drift by signal (z) A", "PSI by signal A"):
            seen = {(one["metric"]["signal"], one["metric"]["version"]) for one in ask(filled(asked[title], ""))}
            assert seen == {(signal, version) for signal in ("language:message", STRANGE) for version in "12"}, title
        bars = "$signal, version $version: shares by bin"
        shares = [
            {one["metric"]["bin"]: float(one["value"][1]) for one in ask(filled(asked[f"{bars} {letter}"], signal))}
            for letter in "AB"
        ]
        assert set(shares[0]) == set(shares[1])
        assert shares[0]["en"] > 0.6 > 0.1 > shares[1]["en"]
        refused = ask(filled(asked["Refused requests A"], ""))
        assert [one["metric"]["reason"] for one in refused] == ["too-large"]
        switched_off = ask(filled(asked["Signals switched off A"], ""))
        assert {one["metric"]["signal"] for one in switched_off} == {"broken:message"}
