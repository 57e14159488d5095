"""The two curves of the page: how far signals moved, and how many answers were right, by version."""

from __future__ import annotations

from dataclasses import dataclass

from tuneloop.loop.web.drawing import COLOURS, Chart, Line, Point, colour_of

SPANS = {"1h": 3600.0, "6h": 21600.0, "24h": 86400.0, "7d": 604800.0, "30d": 2592000.0}
"""What can be shown, in seconds."""
POINTS = 96
"""Points of a curve at most."""
TOP = COLOURS - 1
"""Signals that are shown: those that moved most."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Both curves, and where their figures come from, in a sentence.

    Attributes:
        drift: z by signal of the champion; None: there is nothing to show, `drift_why` says why.
        accuracy: Share of right answers with its 95 % interval by version; None: as above.
        source: Where the figures come from.
        drift_why: A sentence.
        accuracy_why: A sentence.
    """

    drift: Chart | None
    accuracy: Chart | None
    source: str
    drift_why: str = ""
    accuracy_why: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is shown.

    Attributes:
        model: The model's name.
        champion: The version whose signals are shown; None: there is none.
        start: Unix second at the left.
        end: Unix second at the right.
        step: Seconds between two points.
        window: Seconds over which the alert rules count.
        zscore: The project's limit of z for one signal in one window.
        windows: How many windows a signal is judged in.
    """

    model: str
    champion: str | None
    start: float
    end: float
    step: float
    window: float
    zscore: float
    windows: int = 1

    @property
    def gap(self) -> float:
        """Seconds without a point after which a curve is not drawn on."""
        return self.step * 2.5


def default_span(window: float) -> str:
    """The shortest span that holds a dozen windows of so many seconds."""
    return next((name for name, seconds in SPANS.items() if seconds >= window * 12), "30d")


def step_of(span: float, window: float, *, whole: bool) -> float:
    """Seconds between two points.

    Args:
        span: Seconds shown.
        window: Seconds over which values are counted.
        whole: Whether each point counts rows of its own, so that points nearer than a window would say too little.
    """
    return max(span / POINTS, window if whole else 1.0)


def drift_chart(asked: Asked, found: dict[str, list[Point]], limit: float) -> Chart | None:
    """The curves of the signals that moved most, by their highest z; above `limit` z alarms."""
    ranked = sorted((signal for signal, points in found.items() if points), key=lambda s: (-_most(found[s]), s))
    lines = tuple(Line(signal, tuple(found[signal]), place) for place, signal in enumerate(ranked[:TOP]))
    if not lines:
        return None
    title = f"z of the signals that moved most, version {asked.champion}"
    alarm = (limit, f"alarm above {limit:.3g}")
    return Chart(title, lines, asked.start, asked.end, alarm, asked.gap)


def accuracy_chart(asked: Asked, found: dict[str, list[tuple[float, float, float, float]]]) -> Chart | None:
    """The curves of versions: Unix second, share, and both ends of its interval; newest versions first."""
    versions = sorted((version for version, points in found.items() if points), key=_order, reverse=True)[:COLOURS]
    lines = tuple(
        Line(
            f"version {version}",
            tuple((moment, share) for moment, share, _, _ in found[version]),
            colour_of(version),
            tuple((moment, low, high) for moment, _, low, high in found[version]),
        )
        for version in versions
    )
    if not lines:
        return None
    title = "share of right answers with its 95 % interval"
    return Chart(title, lines, asked.start, asked.end, None, asked.gap, percent=True)


def _most(points: list[Point]) -> float:
    return max(value for _, value in points)


def _order(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdigit() else (-1, version)
