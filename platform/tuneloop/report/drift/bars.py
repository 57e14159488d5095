"""Two histograms over the same bins, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_HEIGHT, _BASE, _LEFT = 120, 96, 4
_WIDEST, _NARROWEST, _ROOM = 26, 7, 320


def bars(name: str, bins: Sequence[str], reference: Sequence[int], current: Sequence[int]) -> str:
    """The share of each bin in the reference and in the current rows, side by side; each bar says its figures.

    Args:
        name: Title for screen readers.
        bins: Names of the bins.
        reference: Reference rows in each.
        current: Current rows in each.
    """
    shares = [[count / max(sum(side), 1) for count in side] for side in (reference, current)]
    highest = max(map(max, shares)) or 1.0
    step = max(_NARROWEST, min(_WIDEST, _ROOM // len(bins)))
    width = _LEFT * 2 + step * len(bins)
    parts = [
        f'<svg viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(name)}</title>'
    ]
    for place, text in enumerate(bins):
        x, half = _LEFT + step * place, (step - 2) / 2
        for side, kind in enumerate(("reference", "current")):
            share = shares[side][place]
            height = share / highest * (_BASE - 6)
            parts.append(
                f'<rect class="{kind}" x="{x + side * half:.1f}" y="{_BASE - height:.1f}" width="{half:.1f}" '
                f'height="{height:.1f}"><title>{escape(text)}: {share:.1%} of {kind} rows</title></rect>'
            )
    parts.append(f'<line class="grid" x1="0" x2="{width}" y1="{_BASE}" y2="{_BASE}"/>')
    for place, text in ((0, bins[0]), (len(bins) - 1, bins[-1])):
        anchor, x = ("start", _LEFT) if place == 0 else ("end", width - _LEFT)
        parts.append(f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{escape(_cut(text))}</text>')
    return "".join([*parts, "</svg>"])


def _cut(text: str) -> str:
    return text if len(text) <= 16 else text[:15] + "…"
