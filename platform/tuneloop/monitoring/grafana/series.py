"""Label matchers and series that several dashboards ask for.

`$version` may stand for several versions and is matched as a pattern; `$model` and `$signal` are one, and matched
exactly: a plugin may put any character into a signal's label. Recorded series carry their window in their name and in
the label `window`, so they are asked for by the part of the name before it, and by `$window` where a project has
several: one set of dashboards fits every project.
"""

from __future__ import annotations

MODEL = 'model="$model"'
VERSION = f'{MODEL}, version=~"$version"'
SIGNAL = f'{VERSION}, signal="$signal"'
WINDOW = 'window="$window"'
RATE = "$__rate_interval"
RANGE = "$__range"


def recorded(name: str, labels: str) -> str:
    """A selector of a recorded series, such as `model_version_signal:tuneloop_signal_psi`, whatever its window."""
    return f'{{__name__=~"{name}:.+", {labels}}}'


def rate(metric: str, by: str, labels: str) -> str:
    """Increase a second of a counter, summed by labels; `le` among them keeps a histogram's buckets."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{RATE}]))"


def increase(metric: str, by: str, labels: str) -> str:
    """Increase of a counter over the time the dashboard shows, summed by labels."""
    return f"sum by ({by}) (increase({metric}{{{labels}}}[{RANGE}]))"


def quantile(share: float, metric: str, by: str, labels: str, window: str = RATE) -> str:
    """A quantile of a histogram, by labels; `metric` is its name without `_bucket`."""
    return f"histogram_quantile({share:g}, sum by ({by}, le) (rate({metric}_bucket{{{labels}}}[{window}])))"


def threshold(limit: str, labels: str = MODEL) -> str:
    """The project's own threshold, as its rules record it; see `rules.LIMITS`."""
    return f'max by (model) (model_limit:tuneloop_alert:threshold{{{labels}, limit="{limit}"}})'
