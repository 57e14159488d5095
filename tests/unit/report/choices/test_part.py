"""The sections on candidates and on the search: whole, escaped, and readable in a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from tuneloop.report.choices import (
    CandidateLine,
    CandidatesPart,
    SearchPart,
    TrialLine,
    render_candidates,
    render_search,
)
from tuneloop.report.choices.drawing import history, shares

pytest.importorskip("jinja2")

EVIL = "<script>alert(1)</script>"
TRIALS = (
    TrialLine(0, "complete", 0.81, {"tune.learning_rate": "0.001", "model.hidden": "[16]"}, 3, 1.5, ""),
    TrialLine(1, "lost", None, {"tune.learning_rate": "0.1"}, 0, 0.0, "its process was ended by SIGKILL"),
    TrialLine(2, "pruned", None, {"tune.learning_rate": "0.1"}, 1, 0.5, ""),
    TrialLine(3, "complete", 0.93, {"tune.learning_rate": "0.01"}, 3, 1.4, ""),
    TrialLine(4, "failed", None, {"tune.learning_rate": "1"}, 0, 0.1, EVIL),
)
PART = SearchPart(
    metric="macro_f1",
    maximize=True,
    found={"tune.learning_rate": "0.01"},
    taken="search",
    best=3,
    own=0,
    trials=TRIALS,
    importance={"tune.learning_rate": 0.9, "model.hidden": 0.1},
)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(html):
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def test_every_trial_has_its_line_and_nothing_from_data_is_markup():
    html = render_search(PART)
    seen = tags(html)
    assert seen.count("tr") == 1 + len(TRIALS)
    assert seen.count("svg") == 2
    assert "script" not in seen
    assert "5 trials, judged by macro_f1 ↑ on the validation rows; the best is trial 3" in html
    assert "the project&#39;s own options are trial 0" in html or "the project's own options are trial 0" in html
    assert "SIGKILL" in html


def test_what_was_found_for_the_champion_needs_no_trials():
    html = render_search(SearchPart("", True, {"tune.learning_rate": "0.01"}, "champion"))
    assert "Taken from the champion" in html
    assert "svg" not in tags(html)


def test_candidates_are_compared_in_a_table():
    lines = (
        CandidateLine("small", "hidden: [2]", 0.8, 62, 0.08, 0.1, "", chosen=True),
        CandidateLine(EVIL, "", None, None, None, None, "there is no checkpoint at x", chosen=False),
    )
    html = render_candidates(CandidatesPart("macro_f1", True, "a linear probe", lines))
    seen = tags(html)
    assert seen.count("tr") == 3
    assert "script" not in seen
    assert "chosen" in html


def test_the_line_of_the_history_never_falls_and_ends_at_the_best():
    points = [(0, 0.5), (1, 0.4), (4, 0.9), (5, 0.7)]
    for maximize, best in ((True, 4), (False, 1)):
        root = ElementTree.fromstring(history("accuracy by trial", points, best, maximize=maximize))
        name = "{http://www.w3.org/2000/svg}"
        (line,) = root.findall(f"{name}polyline")
        heights = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]
        assert heights == sorted(heights, reverse=maximize)
        dots = root.findall(f"{name}circle")
        assert len(dots) == len(points)
        (marked,) = [dot for dot in dots if dot.attrib["class"] == "best"]
        assert float(marked.attrib["cy"]) == pytest.approx(heights[-1], abs=0.1)


def test_bars_are_as_long_as_their_shares():
    root = ElementTree.fromstring(shares("importance", {"tune.a": 0.8, "tune.b": 0.2, EVIL: 0.0}))
    widths = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.02)
    assert re.search("80%", "".join(root.itertext()))
