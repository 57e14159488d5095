from __future__ import annotations

import json
from dataclasses import replace

from tuneloop.report.drift import DriftReport, as_json, as_lines


def test_the_document_is_plain_json(drifted: DriftReport) -> None:
    document = json.loads(json.dumps(as_json(drifted), allow_nan=False))
    assert document["outcome"] == "drift"
    assert document["rows"] == [120, 150]
    assert document["signals"][0]["label"] == "size"
    assert document["signals"][0]["verdict"] == "drift"
    assert document["joint"]["auc"] > 0.9
    assert document["settings"]["permutations"] == 39
    assert [row["number"] for row in document["telling_rows"]] == [row.number for row in drifted.rows]


def test_a_figure_that_is_not_finite_is_null(drifted: DriftReport) -> None:
    endless = replace(drifted.study.signals[0], detectable=float("inf"))
    report = replace(drifted, study=replace(drifted.study, signals=(endless,)))
    assert as_json(report)["signals"][0]["detectable"] is None


def test_the_lines_say_the_same(drifted: DriftReport) -> None:
    text = "\n".join(as_lines(replace(drifted, dropped={"refused": 7})))
    assert "old.csv (120 rows)  ->  new.csv (150 rows)" in text
    assert "All together: AUC" in text
    assert "; by size " in text
    assert "left out: id, unique" in text
    assert "dropped: 7 rows, refused" in text
    assert text.endswith(drifted.headline)


def test_many_signals_are_cut(drifted: DriftReport) -> None:
    assert "... and 1 more" in as_lines(drifted, most=1)


def test_why_there_is_no_joint_test(drifted: DriftReport) -> None:
    bare = replace(drifted, study=replace(drifted.study, joint=None, without_joint="it was not asked for"))
    assert "All together: not tested, it was not asked for." in as_lines(bare)
