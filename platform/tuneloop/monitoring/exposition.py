"""Reads what a server exposes at `/metrics`."""

from __future__ import annotations

from tuneloop.api import MissingExtraError, ServingError
from tuneloop.monitoring.window import Series


def parse(text: str, prefix: str, labels: dict[str, str]) -> dict[Series, float]:
    """The samples of a page in Prometheus' text format.

    Args:
        text: The page.
        prefix: Only metrics whose name begins so are read.
        labels: Only samples with these labels are taken.

    Raises:
        ServingError: The page is not in that format.
        MissingExtraError: `prometheus_client` is not installed.
    """
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError as error:
        raise MissingExtraError("the embedded watcher", "prometheus_client", "serve") from error
    lines = (line for line in text.splitlines() if line.startswith((prefix, f"# TYPE {prefix}")))
    samples: dict[Series, float] = {}
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                if all(sample.labels.get(name) == value for name, value in labels.items()):
                    samples[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    except (ValueError, IndexError, KeyError) as error:
        raise ServingError(f"the page is not in Prometheus' text format: {error}") from error
    return samples
