"""Drawings of a search as inline SVG: its trials in time, and how much each option matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tuneloop.report.svg import opened

WIDTH, HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 12, 12, 28
_TICKS = 4
_BAR, _NAME = 22, 190


def history(name: str, points: Sequence[tuple[int, float]], best: int, *, maximize: bool) -> str:
    """A dot a trial, and the best so far as a line of steps.

    Args:
        name: Title for screen readers.
        points: Number and value of each trial that has one, in order; at least one.
        best: Number of the best trial.
        maximize: Whether more is better.
    """
    numbers, values = [number for number, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    across = (max(numbers) - min(numbers)) or 1

    def place(number: int, value: float) -> tuple[float, float]:
        return (
            _LEFT + (number - min(numbers)) / across * (WIDTH - _LEFT - _RIGHT),
            _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = [opened(name, WIDTH, HEIGHT)]
    for step in range(_TICKS + 1):
        value = low + (high - low) * step / _TICKS
        y = place(numbers[0], value)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.4g}</text>')
    parts += [
        f'<text x="{place(number, low)[0]:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{number}</text>'
        for number in numbers[:: max(1, len(numbers) // 8)]
    ]
    steps: list[str] = []
    so_far: float | None = None
    for number, value in points:
        x = place(number, value)[0]
        if so_far is not None:
            steps.append(f"{x:.1f},{place(number, so_far)[1]:.1f}")
        so_far = value if so_far is None else max(so_far, value) if maximize else min(so_far, value)
        steps.append(f"{x:.1f},{place(number, so_far)[1]:.1f}")
    parts.append(f'<polyline class="line" points="{" ".join(steps)}"/>')
    for number, value in points:
        x, y = place(number, value)
        kind, radius = ("best", 4.5) if number == best else ("dot", 2.6)
        parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>trial {number}: {value:.6g}'
            "</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def shares(name: str, found: Mapping[str, float]) -> str:
    """A bar an option, as long as its share.

    Args:
        name: Title for screen readers.
        found: Option to share; at least one.
    """
    longest = max(found.values()) or 1.0
    height = _BAR * len(found) + 6
    parts = [opened(name, WIDTH, height)]
    for position, (path, share) in enumerate(found.items()):
        y = 3 + _BAR * position
        width = share / longest * (WIDTH - _NAME - 56)
        shown = escape(path if len(path) <= 30 else path[:14] + "…" + path[-15:])
        parts.append(
            f'<text x="{_NAME - 8}" y="{y + 13}" text-anchor="end">{shown}<title>{escape(path)}</title></text>'
        )
        parts.append(f'<rect class="right" x="{_NAME}" y="{y + 3}" width="{max(width, 1):.1f}" height="{_BAR - 8}"/>')
        parts.append(f'<text x="{_NAME + width + 6:.1f}" y="{y + 13}">{share:.0%}</text>')
    return "".join([*parts, "</svg>"])
