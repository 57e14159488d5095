from __future__ import annotations

from pathlib import Path

from tests.unit.monitoring.rules.promtool import (
    STEPS,
    VALUES,
    Series,
    check,
    labels,
    needs_promtool,
)

from tuneloop.monitoring.formula import wilson_upper
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    alert_texts,
)


@needs_promtool
def test_a_fall_of_accuracy_alarms(tmp_path: Path) -> None:
    def outcomes(version: str, correct: int, wrong: int) -> Series:
        one = {"model": "desk", "version": version, "instance": "a"}
        gauge = {"series": f"tuneloop_reference_score_ratio{labels(**one)}", "values": f"0.9x{STEPS}"}
        found = [
            {"series": f"tuneloop_labels_total{labels(**one, outcome=name)}", "values": f"0+{step}x{STEPS}"}
            for name, step in (("correct", correct), ("wrong", wrong), ("corrected", 50))
        ]
        return [gauge, *found]

    upper = wilson_upper(320, 400)
    own = {"model": "desk", "version": "1", "window": "600s"}
    check(
        tmp_path,
        outcomes("1", 8, 2) + outcomes("2", 9, 1) + outcomes("3", 1, 2),
        {
            ACCURACY_ALERT: [
                {
                    "exp_labels": {"severity": "warning", **own},
                    "exp_annotations": alert_texts(ACCURACY_ALERT, VALUES, own, f"{upper:.3g}"),
                }
            ]
        },
        [
            ("round(model_version:tuneloop_accuracy:ratio600s{version='1'}, 0.0001)", '{"window": "600s"}', {"1": 0.8}),
            (
                "round(model_version:tuneloop_accuracy_upper:ratio600s{version='1'}, 0.0001)",
                '{"window": "600s"}',
                {"1": round(upper, 4)},
            ),
            (
                "round(model_version:tuneloop_accuracy_lower:ratio600s{version='1'}, 0.0001)",
                '{"window": "600s"}',
                {"1": round(1 - wilson_upper(80, 400), 4)},
            ),
        ],
    )
