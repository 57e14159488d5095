"""Curves over time as inline SVG: lines, the bands around them, and a threshold. Colours come from the style sheet."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

Point = tuple[float, float]

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 26
_STEPS = (60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000)
"""Seconds between two marks of the time axis."""
COLOURS = 6
"""Lines the style sheet tells apart, by colour and by dashes."""
_MARK, _HALF_MARK = 66, 20
"""Pixels from one mark of the time axis to the next at least, and those that half a mark takes."""
_MANY_POINTS = 40
_FINE = 0.045
"""Shares that differ by less are written with a decimal."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels; a drawing is shown about as large as it is drawn, so that its letters are legible."""

    width: int
    height: int


WIDE, NARROW = Size(968, 260), Size(318, 220)


@dataclass(frozen=True, slots=True)
class Line:
    """A curve.

    Attributes:
        name: What it shows.
        points: Unix seconds and values, in order.
        colour: From 0, below `COLOURS`.
        band: Unix seconds, lower and upper bound, in order; empty where there is none.
    """

    name: str
    points: tuple[Point, ...]
    colour: int
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one stretch of time.

    Attributes:
        title: What is shown.
        lines: At most `COLOURS`.
        start: Unix second at the left.
        end: Unix second at the right.
        limit: A threshold and its name.
        gap: Seconds between two points from which on they are not connected.
        percent: Whether values are shares.
    """

    title: str
    lines: tuple[Line, ...]
    start: float
    end: float
    limit: tuple[float, str] | None = None
    gap: float = math.inf
    percent: bool = False


def colour_of(version: str) -> int:
    """The colour of a version: versions in a row differ, and each keeps its own on all drawings."""
    return (int(version) if version.isdecimal() else zlib.crc32(version.encode())) % COLOURS


def draw(chart: Chart, size: Size) -> str:
    """The chart as SVG; texts in it are escaped."""
    frame = _Frame(chart, size, *_bounds(chart))
    parts = [
        f'<svg viewBox="0 0 {size.width} {size.height}" width="{size.width}" height="{size.height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(chart.title)}</title>',
        *frame.axes(),
    ]
    for line in chart.lines:
        parts += frame.bands(line)
    if chart.limit is not None:
        parts += frame.limit(*chart.limit)
    for line in chart.lines:
        parts += frame.curve(line)
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie on a drawing that shows those from `low` to `high`."""

    chart: Chart
    size: Size
    low: float
    high: float

    def x(self, moment: float) -> str:
        inner = self.size.width - _LEFT - _RIGHT
        return f"{_LEFT + (moment - self.chart.start) / (self.chart.end - self.chart.start) * inner:.1f}"

    def y(self, value: float, below: float = 0.0) -> str:
        inner, shown = self.size.height - _TOP - _BOTTOM, min(max(value, self.low), self.high)
        return f"{_TOP + (self.high - shown) / (self.high - self.low) * inner + below:.1f}"

    def across(self, kind: str, value: float) -> str:
        y = self.y(value)
        return f'<line class="{kind}" x1="{_LEFT}" x2="{self.size.width - _RIGHT}" y1="{y}" y2="{y}"/>'

    def axes(self) -> Iterator[str]:
        form = "g" if not self.chart.percent else ".0%" if self.high - self.low > _FINE else ".1%"
        for value in _ticks(self.low, self.high, 4 if self.size.height < WIDE.height else 5):
            yield self.across("grid", value)
            yield f'<text x="{_LEFT - 6}" y="{self.y(value, 3.5)}" text-anchor="end">{value:{form}}</text>'
        for moment, text in marks(self.chart.start, self.chart.end, (self.size.width - _LEFT) // _MARK):
            if float(self.x(moment)) <= self.size.width - _HALF_MARK:
                yield f'<text x="{self.x(moment)}" y="{self.size.height - 8}" text-anchor="middle">{text}</text>'

    def limit(self, value: float, name: str) -> Iterator[str]:
        yield self.across("limit", value)
        # At the left: the newest values, which matter most, are at the right.
        yield f'<text class="limit" x="{_LEFT + 4}" y="{self.y(value, -5)}">{escape(name)}</text>'

    def bands(self, line: Line) -> Iterator[str]:
        kind = f"band c{line.colour}"
        for piece in _pieces(line.band, self.chart.gap):
            if len(piece) == 1:
                ((moment, lower, upper),) = piece
                x = self.x(moment)
                yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{self.y(upper)}" y2="{self.y(lower)}"/>'
                continue
            corners = [f"{self.x(moment)},{self.y(upper)}" for moment, _, upper in piece]
            corners += [f"{self.x(moment)},{self.y(lower)}" for moment, lower, _ in reversed(piece)]
            yield f'<polygon class="{kind}" points="{" ".join(corners)}"/>'

    def curve(self, line: Line) -> Iterator[str]:
        kind = f"curve c{line.colour}"
        for piece in _pieces(line.points, self.chart.gap):
            if len(piece) > 1:
                points = " ".join(f"{self.x(moment)},{self.y(value)}" for moment, value in piece)
                yield f'<polyline class="{kind}" points="{points}"/>'
            if len(line.points) <= _MANY_POINTS or len(piece) == 1:
                for moment, value in piece:
                    yield f'<circle class="{kind}" cx="{self.x(moment)}" cy="{self.y(value)}" r="2.4"/>'


def _pieces(points: Sequence[tuple[float, ...]], gap: float) -> list[list[tuple[float, ...]]]:
    """Points that belong together: where there was no data, nothing is drawn."""
    pieces: list[list[tuple[float, ...]]] = []
    for point in points:
        if not pieces or point[0] - pieces[-1][-1][0] > gap:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _bounds(chart: Chart) -> tuple[float, float]:
    """The lowest and highest value shown."""
    values = [value for line in chart.lines for _, value in line.points]
    values += [bound for line in chart.lines for _, *bounds in line.band for bound in bounds]
    values += [] if chart.limit is None else [chart.limit[0]]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    room = (high - low) * 0.08
    low, high = low - room, high + room
    return (max(low, 0.0), min(high, 1.0)) if chart.percent else (low, high)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round values between two bounds."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [round((first + number) * step, 12) for number in range(int(high / step - first + 1e-9) + 1)]


def marks(start: float, end: float, most: int) -> list[tuple[float, str]]:
    """Round times and their texts, in UTC."""
    step = next((step for step in _STEPS if (end - start) / step <= max(most, 2)), (end - start) / 2)
    first = math.ceil(start / step) * step
    form = "%H:%M" if step < 86400 else "%d %b"
    marks = []
    moment = float(first)
    while moment <= end:
        text = f"{datetime.fromtimestamp(moment, UTC):{form}}"
        if step < 86400 and text == "00:00":
            text = f"{datetime.fromtimestamp(moment, UTC):%d %b}"
        marks.append((moment, text))
        moment += step
    return marks
