"""The overview: what the loop does now, which versions there are, and how they do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.api import RunError
from tuneloop.loop.web.alert_rows import read_alerts
from tuneloop.loop.web.curves import SPANS, default_span
from tuneloop.loop.web.drawing import NARROW, WIDE, Chart, draw
from tuneloop.loop.web.render import seconds_of
from tuneloop.loop.web.run_facts import list_rows
from tuneloop.loop.web.state import read_state
from tuneloop.loop.web.track import Stretch, draw_track
from tuneloop.registry import CHALLENGER, CHAMPION, PREVIOUS, Move, Version

if TYPE_CHECKING:
    from tuneloop.loop.web.site import Site, Versions
    from tuneloop.serving.versions.channel import Channel

_LATEST = 5
_TABLE_ROWS = 48
_TRACKED = 24
"""Stretches on the bar; older ones are in the list."""
_ABSENT = {
    CHAMPION: "Nothing serves yet: the first version that passes the gate does.",
    CHALLENGER: "No version waits to replace the champion.",
    PREVIOUS: "There is no version to go back to.",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart in two sizes, and its figures: times, newest first, with a text a line."""

    chart: Chart
    wide: Markup
    narrow: Markup
    rows: tuple[tuple[float, tuple[str, ...]], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A version in its role; `facts` are names and texts, `link` is a button's text and path."""

    role: str
    version: Version | None
    facts: tuple[tuple[str, str], ...]
    link: tuple[str, str] | None
    absent: str


def overview(site: Site, span: str) -> dict[str, Any]:
    """What the overview shows. `span` is one of `SPANS`; another one is the default."""
    versions, channel = site.versions(), site.channel()
    span = span if span in SPANS else default_span(site.project.monitor.window)
    curves = site.curves(span, None if channel is None else channel.champion.version)
    try:
        runs = list_rows(site)[:_LATEST]
    except RunError:
        runs = []
    now = site.clock()
    return {
        "state": read_state(site),
        "versions": versions,
        "tiles": _tiles(versions, channel),
        "track": _track(versions.moves, now),
        "moves": versions.moves[::-1],
        "others": [(version, scores(version)) for version in versions.all],
        "spans": SPANS,
        "span": span,
        "curves": curves,
        "drift": _drawn(curves.drift),
        "accuracy": _drawn(curves.accuracy),
        "decisions": read_alerts(site.database, "", 1).rows[:_LATEST],
        "runs": runs,
    }


def scores(version: Version) -> str:
    """The test metrics of a version in one line."""
    found = [f"{name[5:]} {value:.4f}" for name, value in version.metrics.items() if name.startswith("test/")]
    return ", ".join(found[:3])


def _tiles(versions: Versions, channel: Channel | None) -> list[Tile]:
    tiles = []
    for role in (CHAMPION, CHALLENGER, PREVIOUS):
        version = versions.named(role)
        facts = [] if version is None or not scores(version) else [("Test", scores(version))]
        tried = None if channel is None else channel.challenger
        if version is not None and tried is not None and tried.version == version.number:
            facts.append(("Tried", tried.mode if tried.mode == "shadow" else f"canary, {tried.share:.4g} of requests"))
        link = None
        if version is not None and role == CHALLENGER:
            link = ("Promote", f"/do/promote?version={version.number}")
        elif version is not None and role == PREVIOUS:
            link = ("Roll back", "/do/rollback")
        tiles.append(Tile(role, version, tuple(facts), link, _ABSENT[role]))
    return tiles


def stretches(moves: Sequence[Move], now: float) -> list[Stretch]:
    """Which version was champion when, from the moves, oldest first; the last one lasts until now."""
    made = [move for move in moves if move.kind in ("promote", "rollback")][-_TRACKED:]
    # Clocks of several machines write it: nothing begins before what was written down before it.
    begins = list(itertools.accumulate((seconds_of(move.when) for move in made), max))
    ends = [*begins[1:], max(now, *begins)] if begins else []
    return [
        Stretch(move.version, begin, end, move.kind == "rollback")
        for move, begin, end in zip(made, begins, ends, strict=True)
    ]


def _track(moves: Sequence[Move], now: float) -> dict[str, Markup] | None:
    found = stretches(moves, now)
    if not found:
        return None
    title = f"Which version was champion when; now {found[-1].version}"
    return {
        "wide": Markup(draw_track(title, found, WIDE.width)),  # noqa: S704
        "narrow": Markup(draw_track(title, found, NARROW.width)),  # noqa: S704
    }


def _drawn(chart: Chart | None) -> Drawn | None:
    if chart is None:
        return None
    moments = sorted({moment for line in chart.lines for moment, _ in line.points}, reverse=True)
    by_line = [(dict(line.points), {moment: ends for moment, *ends in line.band}) for line in chart.lines]

    def text(points: dict[float, float], band: dict[float, list[float]], moment: float) -> str:
        if moment not in points:
            return "-"
        shown = "{:.1%}" if chart.percent else "{:z.2f}"
        low_high = band.get(moment)
        found = shown.format(points[moment])
        return found if low_high is None else f"{found} ({' to '.join(map(shown.format, low_high))})"

    rows = tuple((moment, tuple(text(*line, moment) for line in by_line)) for moment in moments[:_TABLE_ROWS])
    # What these draw comes from data and is escaped there.
    wide, narrow = Markup(draw(chart, WIDE)), Markup(draw(chart, NARROW))  # noqa: S704
    return Drawn(chart, wide, narrow, rows, max(0, len(moments) - _TABLE_ROWS))
