"""A reliability diagram as inline SVG."""

from __future__ import annotations

from tuneloop.report.evaluation.model import Bins
from tuneloop.report.svg import opened

SIZE = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 40
_TICKS = 5


def reliability(name: str, bins: Bins) -> str:
    """A dot a bin, larger with its rows, and the diagonal on which confidence is what it says.

    Args:
        name: Title for screen readers.
        bins: Those that hold rows.
    """
    across, down = SIZE - _LEFT - _RIGHT, SIZE - _TOP - _BOTTOM
    total = sum(rows for _, _, rows in bins) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x * across, _TOP + (1 - y) * down

    parts = [opened(name, SIZE, SIZE)]
    for step in range(_TICKS + 1):
        value = step / _TICKS
        (x, y), (first, _), (last, _) = place(value, value), place(0, 0), place(1, 0)
        parts.append(f'<line class="grid" x1="{first}" x2="{last}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{SIZE - 24}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{_LEFT + across / 2:.1f}" y="{SIZE - 6}" text-anchor="middle">confidence</text>')
    (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
    parts.append(f'<line class="diagonal" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>')
    placed = [(*place(confidence, accuracy), confidence, accuracy, rows) for confidence, accuracy, rows in bins]
    parts.append('<polyline class="line" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in placed) + '"/>')
    for x, y, confidence, accuracy, rows in placed:
        radius = 2.5 + 6 * (rows / total) ** 0.5
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{rows} answers: confidence '
            f"{confidence:.3f}, right {accuracy:.3f}</title></circle>"
        )
    return "".join([*parts, "</svg>"])
