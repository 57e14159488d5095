"""Which version served when, as inline SVG: one bar a stretch of time, and a mark where it was rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tuneloop.loop.web.drawing import Size, colour_of, marks

_SIDE, _BAR_TOP, _BAR, _HEIGHT = 2, 6, 34, 66
_LETTER = 7.5
"""Pixels a letter takes at most."""
_NARROWEST = 3.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A version was champion from `start` to `end` (Unix seconds); `back`: it began by a rollback."""

    version: str
    start: float
    end: float
    back: bool


def draw_track(title: str, stretches: Sequence[Stretch], width: int) -> str:
    """The bars, oldest first; texts are escaped.

    Args:
        title: For screen readers.
        stretches: In order, at least one.
        width: In pixels.
    """
    size = Size(width, _HEIGHT)
    start, end = stretches[0].start, stretches[-1].end
    across = (end - start) or 1.0
    parts = [
        f'<svg viewBox="0 0 {size.width} {size.height}" width="{size.width}" height="{size.height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    ]

    def place(moment: float) -> float:
        return _SIDE + (moment - start) / across * (size.width - 2 * _SIDE)

    for stretch in stretches:
        left, right = place(stretch.start), place(stretch.end)
        wide = max(right - left - 1.5, _NARROWEST)
        words = f"version {stretch.version}" + (", rolled back to" if stretch.back else "")
        parts.append(
            f'<g><title>{escape(words)}</title><rect class="stretch c{colour_of(stretch.version)}" rx="4" '
            f'x="{left:.1f}" y="{_BAR_TOP}" width="{wide:.1f}" height="{_BAR}"/>'
        )
        text = f"{'↺ ' if stretch.back else ''}{stretch.version}"
        if len(text) * _LETTER + 8 <= wide:
            parts.append(
                f'<text class="on" x="{left + wide / 2:.1f}" y="{_BAR_TOP + _BAR / 2 + 4.5:.1f}" '
                f'text-anchor="middle">{escape(text)}</text>'
            )
        parts.append("</g>")
    for moment, text in marks(start, end, size.width // 90):
        x = place(moment)
        half = len(text) * _LETTER / 2
        if half <= x <= size.width - half:
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{text}</text>')
    return "".join([*parts, "</svg>"])
