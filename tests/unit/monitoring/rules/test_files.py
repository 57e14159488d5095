from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.unit.monitoring.rules.promtool import (
    needs_promtool,
    run_tests,
)

from tuneloop.monitoring.rules import (
    LIMITS,
    WatchValues,
    rule_file,
    rule_groups,
)


@needs_promtool
@pytest.mark.parametrize("model", ["desk", 'a "quoted" \\ model', "message-desk.eu"])
def test_promtool_accepts_the_rules(tmp_path: Path, model: str) -> None:
    values = WatchValues(model, window=600, longer=(3600, 86_400, 604_800))
    (tmp_path / "rules.yml").write_text(rule_file(values))
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = sum(len(group["rules"]) for group in rule_groups(values)["groups"])
    assert f"{written} rules found" in done.stdout


@needs_promtool
def test_thresholds_are_recorded(tmp_path: Path) -> None:
    values = WatchValues("desk", window=600, min_rows=1_234_567, psi=0.0625)
    figures = [
        (f"model_limit:tuneloop_alert:threshold{{limit='{limit}'}}", limit, getattr(values, limit)) for limit in LIMITS
    ]
    tests = [
        {"expr": expr, "eval_time": "5m", "exp_samples": [{"labels": f"{expr[:-1]},model='desk'}}", "value": value}]}
        for expr, _, value in figures
    ]
    (tmp_path / "rules.yml").write_text(rule_file(values))
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [{"promql_expr_test": tests}]}
    (tmp_path / "test.yml").write_text(json.dumps(content))
    run_tests(tmp_path)
