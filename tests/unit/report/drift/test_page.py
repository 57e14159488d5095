from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tuneloop.report.drift import DriftReport, ShownRow, write_page
from tuneloop.report.drift.page import render

EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str | None] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(drifted: DriftReport, tmp_path: Path) -> None:
    write_page(drifted, tmp_path / "deep" / "drift.html")
    page = (tmp_path / "deep" / "drift.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.addresses == []
    assert tags.open == []
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_shows_the_figures(drifted: DriftReport) -> None:
    page = render(replace(drifted, dropped={"refused by the model": 4}))
    for text in (
        "old.csv",
        "size",
        "what tells them apart",
        "4 rows",
        "unique: no value occurs twice",
        drifted.headline,
    ):
        assert text in page
    assert page.count("<svg") == 2


def test_everything_from_data_is_escaped(drifted: DriftReport) -> None:
    tests = tuple(
        replace(test, label=EVIL + test.label, bins=(EVIL,) * len(test.bins)) for test in drifted.study.signals
    )
    assert drifted.study.joint is not None
    joint = replace(drifted.study.joint, importance=((EVIL, 0.5),))
    poisoned = replace(
        drifted,
        reference=EVIL,
        current=EVIL,
        study=replace(drifted.study, signals=tests, joint=joint, changes=(EVIL,)),
        left_out={EVIL: EVIL},
        dropped={EVIL: 1},
        rows=(ShownRow(1, 0.9, {EVIL: EVIL * 10}),),
    )
    assert "<script" not in render(poisoned)


@pytest.mark.parametrize("outcome", ["stable", "unclear"])
def test_a_report_with_little_to_tell_is_a_page_too(drifted: DriftReport, outcome: str) -> None:
    study = replace(drifted.study, outcome=outcome, joint=None, without_joint="it was not asked for", changes=())
    page = render(replace(drifted, study=study, rows=(), left_out={}))
    assert "Not tested: it was not asked for." in page
    assert "Not compared" not in page


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not on the PATH")
def test_a_browser_shows_it(drifted: DriftReport, tmp_path: Path) -> None:
    write_page(drifted, tmp_path / "drift.html")
    shot = tmp_path / "shot.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    address = (tmp_path / "drift.html").as_uri()
    done = subprocess.run(
        ["chromium", *options, f"--screenshot={shot}", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    assert "Drift report" in done.stdout
    assert "a classifier tells current rows" in done.stdout
