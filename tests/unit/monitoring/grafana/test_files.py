"""What provisions Grafana."""

from __future__ import annotations

from tuneloop.monitoring.grafana.build import Look
from tuneloop.monitoring.grafana.files import grafana_files


def test_provisioning_takes_paths_literally() -> None:
    files = grafana_files(Look(), folder="/srv/a$HOME/", prometheus="http://prometheus:9090/$x", scrape_interval=1.5)
    assert "path: /srv/a$$HOME/dashboards" in files["provisioning/dashboards/tuneloop.yaml"]
    source = files["provisioning/datasources/tuneloop.yaml"]
    assert "url: http://prometheus:9090/$$x" in source
    assert "timeInterval: 1500ms" in source
