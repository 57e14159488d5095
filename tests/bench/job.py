"""What the load generator is told, and what it answers."""

from __future__ import annotations

import pydantic


class Job(pydantic.BaseModel):
    """What to send, where, and for how long.

    Attributes:
        port: On 127.0.0.1.
        path: Of the URL.
        headers: Beside Host and Content-Length.
        bodies: Sent in turn.
        concurrency: Connections, with one request each.
        seconds: Measured; counted from the end of the warm-up.
        warm: Seconds of the same load before.
        requests: End after so many requests where that is sooner; None: after the seconds.
    """

    port: int
    path: str
    headers: dict[str, str] = {"content-type": "application/json"}
    bodies: list[str]
    concurrency: int = 1
    seconds: float = 1.0
    warm: float = 0.0
    requests: int | None = None


class Outcome(pydantic.BaseModel):
    """What came of a job.

    Attributes:
        rate: Good answers a second in the measured time.
        count: Good answers in the measured time.
        total: All answers, those of the warm-up too.
        mean, p50, p99, worst: Seconds from sending to the last byte; of good answers in the measured time.
        cpu: Seconds of processor time that the generator itself took.
        failures: Status, or what broke the connection, to number; warm-up too.
        said: The first failed answer's body, cut.
    """

    rate: float
    count: int
    total: int
    mean: float
    p50: float
    p99: float
    worst: float
    cpu: float
    failures: dict[str, int]
    said: str
