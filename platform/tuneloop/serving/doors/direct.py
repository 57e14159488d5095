"""The short way: predictions are answered before BentoML's middleware and router, and counted in BentoML's metrics.

BentoML's way costs a small model more than the model does: some 100 us for the raw door, 200 us for the typed one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter
from typing import Any, TypeAlias

Door: TypeAlias = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
"""An ASGI application that answers every failure itself."""


class Direct:
    """An ASGI application before BentoML's: it hands the paths of `doors` to them, and every other path to BentoML.

    Whoever watches BentoML's request metrics sees no difference. BentoML's time limit is not needed: the engine
    bounds the arrival of the body and the wait for a slot, and nobody can stop a call of the model that has begun.
    Where BentoML's configuration asks for more (a limit of concurrent requests, an access log, CORS), it gets all
    requests.

    Args:
        app: BentoML's application, not started yet.
        doors: The application of each path.
    """

    def __init__(self, app: Any, doors: Mapping[str, Door]) -> None:
        from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware

        self._app = app
        self._doors: dict[str, Door] = {}
        self._series: dict[str, _Series] = {}
        metrics = [one for one in app.user_middleware if one.cls is RunnerTrafficMetricsMiddleware]
        if len(metrics) == 1 and all(one.cls.__name__ in _REPLACED for one in app.user_middleware):
            # Its collectors can be made only once a process: both ways share the one middleware.
            app.user_middleware.remove(metrics[0])
            self._app = self._metrics = metrics[0].cls(app, **metrics[0].kwargs)
            self._doors = dict(doors)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request, or hand it on."""
        door = self._doors.get(scope.get("path", ""))
        if door is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        series = self._series_of(scope["path"])
        begun = perf_counter()
        status = 0

        async def counted(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body"):
                series.answered(status, perf_counter() - begun)
            await send(message)

        series.in_progress.inc()
        try:
            await door(scope, receive, counted)
        finally:
            series.in_progress.dec()

    def _series_of(self, path: str) -> _Series:
        series = self._series.get(path)
        if series is None:
            if not self._metrics._is_setup:
                self._metrics._setup()
            series = self._series[path] = _Series(self._metrics, path)
        return series


_REPLACED = ("RunnerTrafficMetricsMiddleware", "OpenTelemetryMiddleware", "TimeoutMiddleware", "ContextMiddleware")
"""What BentoML sets up for this service and the short way makes up for, or, as tracing is off, does not need."""


class _Series:
    """The series of BentoML's request metrics that belong to one path."""

    def __init__(self, metrics: Any, path: str) -> None:
        from bentoml._internal.context import server_context

        self._labels = {
            "service_name": server_context.bento_name,
            "service_version": server_context.bento_version,
            "runner_name": server_context.service_name,
        }
        self._metrics, self._path = metrics, path
        self._last = metrics.metrics_last_request_timestamp.labels(**self._labels)
        self.in_progress = metrics.metrics_request_in_progress.labels(endpoint=path, **self._labels)
        self._by_status: dict[int, tuple[Any, Any]] = {}

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        pair = self._by_status.get(status)
        if pair is None:
            labels = {**self._labels, "endpoint": self._path, "http_response_code": status}
            total, duration = self._metrics.metrics_request_total, self._metrics.metrics_request_duration
            pair = self._by_status[status] = (total.labels(**labels), duration.labels(**labels))
        self._last.set_to_current_time()
        pair[0].inc()
        pair[1].observe(seconds)
