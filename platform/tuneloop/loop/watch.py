"""Who watches the served model: real Prometheus and Alertmanager where they are installed, else our own watcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuneloop.config import Project
from tuneloop.loop.pages import page_token, write_page_token
from tuneloop.loop.token import read_token
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Delays, Stack, find_stack
from tuneloop.monitoring.watcher import Watcher

_SCRAPES_A_WINDOW = 30
_FASTEST, _SLOWEST = 1.0, 15.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What watches, in words, and the addresses of its pages by name."""

    what: str
    pages: Mapping[str, str]


def watch_values(project: Project) -> WatchValues:
    """The project's `monitor` section, and a scrape interval that fits its window."""
    monitor = project.monitor
    return WatchValues(
        model=project.name,
        window=monitor.window,
        longer=monitor.longer,
        min_rows=monitor.min_rows,
        psi=monitor.psi,
        zscore=monitor.zscore,
        accuracy_drop=monitor.accuracy_drop,
        min_labels=monitor.min_labels,
        scrape_interval=min(max(monitor.window / _SCRAPES_A_WINDOW, _FASTEST), _SLOWEST),
        grafana=monitor.links.grafana,
        runbook=monitor.links.runbook,
    )


@contextmanager
def watching(project: Project, targets: Sequence[str], loop: str, token_file: Path) -> Iterator[Watch]:
    """Watch while the context lasts; both kinds use the same formulas and post the same payload.

    Args:
        project: Whose model is watched, and what decides on an alarm.
        targets: Addresses of metrics pages, one a server.
        loop: The loop's address: alerts are posted to its `/alerts`, and its `/metrics` is looked at too.
        token_file: Holds the webhook's bearer token.

    Raises:
        ServingError: The programs are installed, but one ended or was not ready in time.
    """
    values, webhook, scraped = watch_values(project), f"{loop}/alerts", [*targets, f"{loop}/metrics"]
    if find_stack() is None:
        watcher = Watcher(values, scraped, webhook, read_token(token_file), page_token=page_token())
        watcher.start()
        try:
            yield Watch("the embedded watcher (prometheus and alertmanager are not on the PATH)", {})
        finally:
            watcher.stop()
        return
    # With a window of an hour an alert may wait 5 seconds for its group; with one of seconds it may not.
    delays = Delays(group_wait=min(5.0, values.scrape_interval), group_interval=min(30.0, values.window))
    folder = project.state / "watch"
    page = write_page_token(folder)
    with Stack(folder, values, scraped, webhook, token_file, page_token_file=page, delays=delays) as stack:
        stack.wait_ready()
        pages = {"Prometheus": stack.prometheus_url, "Alertmanager": stack.alertmanager_url}
        yield Watch("Prometheus and Alertmanager", pages)
