"""Small drawings as inline SVG: the learning curve and the confusion matrix; and what all drawings share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 12, 12, 28
_TICKS = 4
_SMALLEST = 0.75
"""Of its size, on a narrow screen: texts of 11 px can still be read. What is wider than the screen is scrolled."""
_NAME = 190
"""Room for the name of a class."""


def opened(name: str, width: int, height: int) -> str:
    """The beginning of a drawing.

    Args:
        name: Title for screen readers.
        width: In pixels, where there is room.
        height: Likewise.
    """
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="min-width:{_SMALLEST * width:.0f}px" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(name)}</title>"
    )


def width_of(text: str) -> float:
    """How wide a text of 11 px is at most, about, in pixels."""
    return sum(
        11.5 if east_asian_width(one) in "WF" else 10.5 if one in "MWmw@%" else 8.0 if one.isupper() else 6.4
        for one in text
    )


def fitted(text: str, room: float) -> str:
    """The text, or as much of its beginning as there is room for, in pixels, and an ellipsis."""
    if width_of(text) <= room:
        return text
    while text and width_of(text) > room - 11.5:
        text = text[:-1]
    return text + "…"


def curve(name: str, points: Sequence[tuple[float, float]], marked: float | None = None) -> str:
    """A line through points, with axes.

    Args:
        name: Title for screen readers.
        points: x and y, at least one.
        marked: The x at which a dot is drawn, such as the best epoch.
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first, last = min(xs), max(xs)
    across = (last - first) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - first) / across * (WIDTH - _LEFT - _RIGHT),
            _TOP + (high - y) / (high - low) * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = [opened(name, WIDTH, HEIGHT)]
    for step in range(_TICKS + 1):
        value = low + (high - low) * step / _TICKS
        _, y = place(first, value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.3g}</text>')
    parts += [
        f'<text x="{place(x, low)[0]:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{x:g}</text>'
        for x in sorted(set(xs))[:: max(1, len(set(xs)) // 8)]
    ]
    placed = [place(x, y) for x, y in points]
    parts.append('<polyline class="line" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in placed) + '"/>')
    for (x, _), (px, py) in zip(points, placed, strict=True):
        kind = "best" if marked is not None and abs(x - marked) < 1e-9 else "dot"
        parts.append(f'<circle class="{kind}" cx="{px:.1f}" cy="{py:.1f}" r="{4 if kind == "best" else 2.2}"/>')
    return "".join([*parts, "</svg>"])


def matrix(name: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: right labels down, answers across; each cell darker with its share of the row."""
    names = [fitted(label, _NAME) for label in labels]
    size = max(18, min(44, 480 // len(labels)))
    left = 14 + int(max(map(width_of, names)))
    height = size * len(labels) + left + 4
    width = left + size * len(labels) + 8
    parts = [opened(name, width, height)]
    for i, label in enumerate(labels):
        shown = escape(names[i]) + (f"<title>{escape(label)}</title>" if names[i] != label else "")
        middle = left + size * i + size / 2
        parts.append(f'<text x="{left - 6}" y="{size * i + size / 2 + 8:.1f}" text-anchor="end">{shown}</text>')
        bottom = size * len(labels) + 12
        parts.append(
            f'<text x="{middle:.1f}" y="{bottom}" text-anchor="end" '
            f'transform="rotate(-60 {middle:.1f} {bottom})">{shown}</text>'
        )
    for i, row in enumerate(counts):
        total = sum(row) or 1
        for j, count in enumerate(row):
            share, kind = count / total, "right" if i == j else "wrong"
            x, y = left + size * j, 4 + size * i
            parts.append(
                f'<rect class="{kind}" x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" '
                f'fill-opacity="{0.05 + 0.95 * share:.3f}"><title>{escape(labels[i])} → {escape(labels[j])}: '
                f"{count}</title></rect>"
            )
            if count and size >= 5 + 6.4 * len(str(count)):
                tone = "strong" if share > 0.55 else "faint"
                parts.append(
                    f'<text class="{tone}" x="{x + size / 2 - 0.5:.1f}" y="{y + size / 2 + 3.5:.1f}" '
                    f'text-anchor="middle">{count}</text>'
                )
    return "".join([*parts, "</svg>"])
