"""The files that make Grafana show the dashboards, and Prometheus record the series behind them."""

from __future__ import annotations

from tuneloop.monitoring.grafana.build import Look, dashboards
from tuneloop.monitoring.grafana.source import DATASOURCE
from tuneloop.monitoring.rules import duration, to_yaml

RULES = "rules.yml"
PROVISIONING = "provisioning"
DASHBOARDS = "dashboards"


def grafana_files(look: Look, *, folder: str, prometheus: str, scrape_interval: float) -> dict[str, str]:
    """Texts of the files, by their path in the folder.

    Args:
        look: What differs between sets.
        folder: Where Grafana is going to see them.
        prometheus: Its address, as Grafana reaches it.
        scrape_interval: In seconds; from this Grafana takes the shortest window over which it computes rates.

    Raises:
        MissingExtraError: `grafana_foundation_sdk` is not installed.
    """
    source = {
        "name": "Tuneloop Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": _literal(prometheus),
        "jsonData": {"timeInterval": duration(scrape_interval), "httpMethod": "POST"},
    }
    provider = {
        "name": "tuneloop",
        "folder": "Tuneloop",
        "type": "file",
        "options": {"path": _literal(f"{folder.rstrip('/')}/{DASHBOARDS}")},
    }
    return {
        **{f"{DASHBOARDS}/{name}.json": text for name, text in dashboards(look).items()},
        f"{PROVISIONING}/datasources/tuneloop.yaml": to_yaml({"apiVersion": 1, "datasources": [source]}),
        f"{PROVISIONING}/dashboards/tuneloop.yaml": to_yaml({"apiVersion": 1, "providers": [provider]}),
    }


def _literal(text: str) -> str:
    """Text for a provisioning file, in which Grafana would otherwise replace `$NAME` by environment variables."""
    return text.replace("$", "$$")
