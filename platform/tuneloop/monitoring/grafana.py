"""The files that make Grafana show a model's dashboard, and Prometheus record the series behind it."""

from __future__ import annotations

from pathlib import Path

from tuneloop.monitoring.dashboards import DATASOURCE, model_dashboard
from tuneloop.monitoring.rules import WatchValues, duration, rule_file, to_yaml

RULES = "rules.yml"
PROVISIONING = "provisioning"
DASHBOARDS = "dashboards"


def grafana_files(values: WatchValues, folder: Path, prometheus: str) -> dict[str, str]:
    """Texts of the files by their path in the folder.

    Args:
        values: What decides on an alarm.
        folder: Where they are going to be; Grafana is told to look there for dashboards.
        prometheus: Its address, as Grafana reaches it.

    Raises:
        MissingExtraError: `grafana_foundation_sdk` is not installed.
    """
    source = {
        "name": "Tuneloop Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": _literal(prometheus),
        # From this Grafana takes the shortest window over which it computes rates.
        "jsonData": {"timeInterval": duration(values.scrape_interval), "httpMethod": "POST"},
    }
    provider = {
        "name": "tuneloop",
        "folder": "Tuneloop",
        "type": "file",
        "options": {"path": _literal(str(folder.absolute() / DASHBOARDS))},
    }
    return {
        f"{DASHBOARDS}/{values.model}.json": model_dashboard(values),
        f"{PROVISIONING}/datasources/tuneloop.yaml": to_yaml({"apiVersion": 1, "datasources": [source]}),
        f"{PROVISIONING}/dashboards/tuneloop.yaml": to_yaml({"apiVersion": 1, "providers": [provider]}),
        RULES: rule_file(values),
    }


def _literal(text: str) -> str:
    """Text for a provisioning file, in which Grafana would otherwise replace `$NAME` by environment variables."""
    return text.replace("$", "$$")
