from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneloop.artifact import write_json
from tuneloop.loop.stages import Stages
from tuneloop.loop.web.run_facts import list_rows, read_run, report_of
from tuneloop.pipeline.runs.cache import OUTPUT
from tuneloop.pipeline.runs.records import RunRequest, create, note_step, run_folder, update_status


def make_run(state: Path, run: str, /, **status: Any) -> Path:
    create(state, RunRequest(run=run, project="desk", started="2026-01-01T00:00:00Z", who="jo"), b"name: desk", None)
    folder = run_folder(state, run)
    update_status(folder, **status)
    return folder


def make_step(folder: Path, name: str, output: dict[str, Any]) -> None:
    place = folder.parent.parent / "steps" / f"{name}-0"
    write_json(place / OUTPUT, {"fingerprint": "0", "seconds": 1.5, "output": output})
    note_step(folder, name, f"{name}-0/rows" if name == "load" else f"{name}-0", finished=True)


def test_runs_of_the_loop_and_by_hand_are_listed_once_newest_first(site: Any, decide: Callable[..., Any]) -> None:
    state = site.project.state
    make_run(state, "20260101-000000-ab12", state="passed", version="4", seconds=9.0)
    mine = decide(1, "accepted", summary="age has drifted").record.run
    make_run(state, mine, state="running", step="tune")
    by_hand, by_loop = list_rows(site)
    assert (by_hand.id, by_hand.outcome, by_hand.version, by_hand.why) == (
        "20260101-000000-ab12",
        "passed",
        "4",
        "started by jo",
    )
    assert by_hand.ended == by_hand.started + 9
    assert (by_loop.id, by_loop.outcome, by_loop.step, by_loop.why, by_loop.ended) == (
        mine,
        "running",
        "tune",
        "age has drifted",
        None,
    )
    site.brain.decisions.finish(mine, "refused", "too bad", "5")
    (_, by_loop) = list_rows(site)
    assert (by_loop.outcome, by_loop.reason, by_loop.version, by_loop.step) == ("refused", "too bad", "5", "")


def test_a_run_is_told_with_its_steps_in_order_and_the_checks_of_its_gate(site: Any) -> None:
    folder = make_run(site.project.state, "20260101-000000-ab12", state="refused", reasons=("too bad",))
    checks = [{"name": "a", "passed": True, "text": "a is 0.9"}, {"name": "b", "passed": False, "text": "too bad"}]
    make_step(folder, "gate", {"checks": checks, "summary": {"gate": "refused"}})
    make_step(folder, "tune", {"summary": {"epochs": 3, "loss": 0.123456}})
    make_step(folder, "load", {"summary": {"rows": 900}})
    note_step(folder, "package", "package-0", finished=False)
    found = read_run(site, "20260101-000000-ab12")
    assert found is not None
    assert [(step.name, step.finished, step.figures) for step in found.steps] == [
        ("load", True, "rows 900"),
        ("tune", True, "epochs 3 · loss 0.1235"),
        ("gate", True, "gate refused"),
        ("package", False, ""),
    ]
    assert found.checks == ((True, "a is 0.9"), (False, "too bad"))
    assert found.reasons == ("too bad",)


def test_a_run_that_has_barely_begun_and_one_that_is_not_there(site: Any, decide: Callable[..., Any]) -> None:
    run = decide(1, "accepted").record.run
    found = read_run(site, run)
    assert found is not None
    assert (found.steps, found.checks, found.has_report, found.problem) == ((), (), False, "")
    for other in ("nothing", "..", "", "a/b", ".lock"):
        assert read_run(site, other) is None
        assert report_of(site, other) is None


def test_records_that_cannot_be_read_are_said(site: Any, browser: Any, decide: Callable[..., Any]) -> None:
    run = decide(1, "accepted").record.run
    folder = make_run(site.project.state, run)
    (folder / "steps.json").write_text(json.dumps(["no", "record"]))
    found = read_run(site, run)
    assert found is not None
    assert "cannot be read" in found.problem
    assert browser.get(f"/runs/{run}").status_code == 200
    (folder / "request.json").write_text("{")
    other = make_run(site.project.state, "20260101-000000-ab12")
    (other / "request.json").write_text("{")
    page = browser.get("/runs")
    assert page.status_code == 200
    assert "cannot be read" in page.text
    assert browser.get("/").status_code == 200


def test_the_page_of_a_run_tells_its_stages(browser: Any, site: Any, decide: Callable[..., Any]) -> None:
    run = decide(1, "accepted").record.run
    stages = Stages(site.database, site.clock)
    stages.begin(run, "shadow")
    stages.end(run, "shadow", "500 rows: agrees on 97 %")
    stages.begin(run, "canary 5%")
    page = browser.get(f"/runs/{run}").text
    for part in ("shadow", "500 rows: agrees on 97 %", "canary 5%", "at work"):
        assert part in page
