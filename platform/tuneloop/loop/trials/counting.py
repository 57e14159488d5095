"""What servers counted since a first look, over restarts of theirs and of ours.

The figures come from the servers' own `/metrics`, as those that prove a version live do: the loop need not know of a
Prometheus, the numbers are exact and of this second, and nothing is extrapolated. As `increase` of Prometheus does, a
counter that fell is taken to have begun anew at 0. One address must be one server: behind a load balancer the pages of
several would look like restarts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import pydantic

from tuneloop.monitoring.exposition import parse

Page: TypeAlias = dict[str, float]
"""Values by series: `tuneloop_labels_total|outcome=wrong|version=2`, without the model."""

LATENCY = "tuneloop_prediction_seconds_bucket"
REFUSED = "tuneloop_requests_refused_total"
LABELS, CORRECTIONS = "tuneloop_labels_total", "tuneloop_label_corrections_total"
FAILURES, NOT_TAKEN = "tuneloop_challenger_failures_total", "tuneloop_challenger_refusals_total"
SHADOW_ROWS, SHADOW_LABELS = "tuneloop_shadow_rows_total", "tuneloop_shadow_labels_total"
_NAMES = (LATENCY, REFUSED, LABELS, CORRECTIONS, FAILURES, NOT_TAKEN, SHADOW_ROWS, SHADOW_LABELS)
_FAMILY = LATENCY.removesuffix("_bucket")


def series(name: str, **labels: str) -> str:
    """The key of a series in a page."""
    return "|".join([name, *(f"{label}={labels[label]}" for label in sorted(labels))])


def read_page(text: str, model: str, versions: Collection[str]) -> Page:
    """The counters of a metrics page that say how versions do.

    Args:
        text: The page.
        model: Only of this model.
        versions: Series of other versions are left out.

    Raises:
        ServingError: The page is not in Prometheus' text format.
    """
    # A page has thousands of lines about signals; the parser costs far more than this look at how each begins.
    kept = "\n".join(line for line in text.splitlines() if line.startswith(_NAMES)) + "\n"
    page: Page = {}
    for (name, pairs), value in parse(kept, "tuneloop_", {"model": model}).items():
        labels = {label: text for label, text in pairs if label != "model"}
        if labels.get("version", next(iter(versions), "")) in versions:
            page[series(name, **labels)] = value
    return page


class Count(pydantic.BaseModel):
    """Increments since the first look at each server, and each server's last page."""

    model_config = pydantic.ConfigDict(frozen=True)
    last: dict[str, Page] = {}
    total: Page = {}

    def add(self, pages: Mapping[str, Page]) -> Count:
        """The count after another look, by the servers' addresses; a server that did not answer is left out.

        A server's first page only says where its counters stand; a series that appears later began at 0.
        """
        total = dict(self.total)
        for url, page in pages.items():
            before = self.last.get(url)
            if before is None:
                continue
            for key, value in page.items():
                old = before.get(key, 0.0)
                grown = value if value < old else value - old
                if grown > 0:
                    total[key] = total.get(key, 0.0) + grown
        return Count(last={**self.last, **{url: dict(page) for url, page in pages.items()}}, total=total)

    @property
    def standing(self) -> Page:
        """What all servers counted since they started, by their last pages."""
        total: Page = {}
        for page in self.last.values():
            for key, value in page.items():
                total[key] = total.get(key, 0.0) + value
        return total
