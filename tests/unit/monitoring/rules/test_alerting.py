from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from tests.unit.monitoring.rules.promtool import (
    RATIOS,
    VALUES,
    check,
    counts,
    needs_promtool,
    reference,
    steady,
)

from tuneloop.monitoring.formula import drift
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    DRIFT_ALERT,
    alert_texts,
)


@needs_promtool
def test_alerts_link_to_dashboard_and_runbook_where_there_are_any(tmp_path: Path) -> None:
    values = replace(VALUES, grafana="http://grafana:3100/", runbook="https://wiki/drift?a=b&c")
    increases, signal = [1120, 160, 160, 160], 'odd "quoted" & más/:age'
    found = drift(np.array(increases, dtype=float), np.array(RATIOS), 2000)
    assert found is not None
    own = {"model": "desk", "version": "1", "signal": signal, "window": "600s"}
    texts = alert_texts(DRIFT_ALERT, values, own, f"{found.zscore:.3g}")
    address = urlsplit(texts["dashboard_url"])
    assert (address.netloc, address.path) == ("grafana:3100", "/d/tuneloop-drift")
    assert parse_qs(address.query) == {f"var-{name}": [value] for name, value in own.items()}
    assert texts["runbook_url"] == values.runbook
    assert alert_texts(ACCURACY_ALERT, values, own, "0.8")["dashboard_url"].startswith(
        "http://grafana:3100/d/tuneloop-accuracy?"
    )
    assert alert_texts(DRIFT_ALERT, VALUES, own, "5").keys() == {"summary", "description"}
    renamed = json.loads(
        json.dumps(reference() + counts(steady(28, 4, 4, 4))).replace(
            json.dumps('signal="age"')[1:-1], json.dumps(f"signal={json.dumps(signal, ensure_ascii=False)}")[1:-1]
        )
    )
    expected = {"exp_labels": {"severity": "warning", **own}, "exp_annotations": texts}
    check(tmp_path, renamed, {DRIFT_ALERT: [expected]}, values=values)
