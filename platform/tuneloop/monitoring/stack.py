"""Real Prometheus and Alertmanager on loopback: their configuration, their processes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tuneloop.api import ServingError
from tuneloop.artifact import write_atomic
from tuneloop.monitoring.rules import WatchValues, duration, rule_file, to_yaml
from tuneloop.monitoring.webhook import GROUP_BY, get

HOST = "127.0.0.1"
RECEIVER = "tuneloop"
_LEAST_RETENTION = 15 * 86_400.0


@dataclass(frozen=True, slots=True)
class Delays:
    """When Alertmanager posts, in seconds: after the first alert of a group, after a change, and again."""

    group_wait: float = 5.0
    group_interval: float = 30.0
    repeat_interval: float = 14_400.0


def find_stack() -> tuple[Path, Path] | None:
    """The programs `prometheus` and `alertmanager` (Debian: `prometheus-alertmanager`); None if one is absent."""
    prometheus = shutil.which("prometheus")
    alertmanager = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    return (Path(prometheus), Path(alertmanager)) if prometheus and alertmanager else None


def prometheus_config(
    values: WatchValues, targets: Sequence[str], alertmanager: str, rules: str, token_file: str | None = None
) -> str:
    """`prometheus.yml`.

    Args:
        values: Gives the scrape interval.
        targets: Addresses of metrics pages, such as `http://127.0.0.1:3000/metrics`.
        alertmanager: Host and port.
        rules: The rule file, relative to the configuration.
        token_file: A file with the bearer token of the metrics pages and nothing else; None: they ask for none.
    """
    interval = duration(values.scrape_interval)
    return to_yaml(
        {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": duration(min(values.scrape_interval, 10.0)),
                "evaluation_interval": interval,
            },
            "rule_files": [rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [_scrape(number, target, token_file) for number, target in enumerate(targets)],
        }
    )


def retention(values: WatchValues) -> float:
    """Seconds that Prometheus keeps samples: twice the longest window, and 15 days, its own default, at least."""
    return max(_LEAST_RETENTION, 2 * values.windows[-1])


def alertmanager_config(webhook: str, token_file: str | None, delays: Delays | None = None) -> str:
    """`alertmanager.yml`: everything goes to one webhook.

    Args:
        webhook: Its address.
        token_file: A file with the bearer token and nothing else; the token itself never stands here.
        delays: When it posts.
    """
    when = delays or Delays()
    target: dict[str, Any] = {"url": webhook, "send_resolved": True}
    if token_file is not None:
        target["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": token_file}}
    return to_yaml(
        {
            "route": {
                "receiver": RECEIVER,
                "group_by": list(GROUP_BY),
                "group_wait": duration(when.group_wait),
                "group_interval": duration(when.group_interval),
                "repeat_interval": duration(when.repeat_interval),
            },
            "receivers": [{"name": RECEIVER, "webhook_configs": [target]}],
        }
    )


class Stack:
    """A Prometheus and an Alertmanager of our own. Use it as a context manager, or stop it.

    ```python
    with Stack(folder, values, targets, webhook, token_file) as stack:
        stack.wait_ready()
        print(stack.prometheus_url)
    ```

    Args:
        folder: Configuration, data and logs go here.
        values: What decides on an alarm.
        targets: Addresses of metrics pages.
        webhook: Where alerts are posted.
        token_file: Holds the webhook's bearer token.
        page_token_file: Holds the bearer token of the metrics pages and nothing else; None: they ask for none.
        delays: When Alertmanager posts.
        programs: As `find_stack` found them.
        prometheus_port: 0 picks a free one.
        alertmanager_port: 0 picks a free one.

    Raises:
        ServingError: The programs are not installed, or cannot be started.
    """

    def __init__(
        self,
        folder: Path,
        values: WatchValues,
        targets: Sequence[str],
        webhook: str,
        token_file: Path | None = None,
        *,
        page_token_file: Path | None = None,
        delays: Delays | None = None,
        programs: tuple[Path, Path] | None = None,
        prometheus_port: int = 0,
        alertmanager_port: int = 0,
    ) -> None:
        found = programs or find_stack()
        if found is None:
            raise ServingError(
                "prometheus and alertmanager are not on the PATH. On Debian: apt-get install prometheus "
                "prometheus-alertmanager; or use the embedded watcher, which needs neither."
            )
        alertmanager = f"{HOST}:{alertmanager_port or free_port()}"
        prometheus = f"{HOST}:{prometheus_port or free_port()}"
        self.folder, self.prometheus_url, self.alertmanager_url = (
            folder,
            f"http://{prometheus}",
            f"http://{alertmanager}",
        )
        secret = str(token_file.absolute()) if token_file else None
        write_atomic(folder / "rules.yml", rule_file(values).encode())
        write_atomic(folder / "alertmanager.yml", alertmanager_config(webhook, secret, delays).encode())
        page_secret = str(page_token_file.absolute()) if page_token_file else None
        config = prometheus_config(values, targets, alertmanager, "rules.yml", page_secret)
        write_atomic(folder / "prometheus.yml", config.encode())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._start(
                "alertmanager",
                [
                    str(found[1]),
                    f"--config.file={folder / 'alertmanager.yml'}",
                    f"--storage.path={folder / 'alertmanager'}",
                    f"--web.listen-address={alertmanager}",
                    "--cluster.listen-address=",
                ],
            )
            self._start(
                "prometheus",
                [
                    str(found[0]),
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                    f"--storage.tsdb.retention.time={duration(retention(values))}",
                    f"--web.listen-address={prometheus}",
                ],
            )
        except OSError as error:
            self.stop()
            raise ServingError(f"the monitoring programs cannot be started: {error}") from error

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Wait until both answer.

        Raises:
            ServingError: One ended, or was not ready in time; quotes the end of its log.
        """
        deadline = time.monotonic() + timeout
        for name, url in (("alertmanager", self.alertmanager_url), ("prometheus", self.prometheus_url)):
            while not _ready(url):
                ended = self._processes[name].poll() is not None
                if ended or time.monotonic() > deadline:
                    log = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                    raise ServingError(f"{name} {'ended' if ended else 'is not ready'}; the end of its log:\n{log}")
                time.sleep(0.05)

    def stop(self, timeout: float = 10.0) -> None:
        """End both programs, Prometheus first, so that it does not report a lost Alertmanager."""
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


def free_port() -> int:
    """A port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _scrape(number: int, target: str, token_file: str | None) -> dict[str, Any]:
    parts = urlsplit(target)
    token = {} if token_file is None else {"authorization": {"type": "Bearer", "credentials_file": token_file}}
    return {
        "job_name": f"tuneloop-{number}",
        "scheme": parts.scheme,
        "metrics_path": parts.path or "/metrics",
        "static_configs": [{"targets": [parts.netloc]}],
        **token,
    }


def _ready(url: str) -> bool:
    try:
        get(f"{url}/-/ready", timeout=2.0)
    except ServingError:
        return False
    return True
