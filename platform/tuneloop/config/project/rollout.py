"""How a version that passed the gate comes to the servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shadow:
    """How a challenger is tried unseen.

    Attributes:
        seconds: How long at least.
        rows: Rows it must have answered.
        agreement: Share of its answers that must agree with the champion's; None: any.
    """

    seconds: float
    rows: int
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """How a challenger is tried on a share of the requests.

    Attributes:
        steps: Shares of the requests, one after the other.
        seconds: How long each lasts at least.
        rows: Requests it must have answered in each.
        by: Column whose value decides who is asked; None: chance does.
    """

    steps: tuple[float, ...]
    seconds: float
    rows: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """From where on a new version is worse than the champion.

    Attributes:
        error_rate: How many more of the requests may fail, as a share.
        latency_ratio: How many times as long the slowest requests may take.
        accuracy_drop: How much smaller the share of right answers may be.
    """

    error_rate: float = 0.01
    latency_ratio: float = 2.0
    accuracy_drop: float = 0.02


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the loop brings a version that passed the gate to the servers.

    Attributes:
        shadow: None: it is not tried unseen.
        canary: None: it is not tried on a share of the requests.
        watch: Seconds for which a new champion is compared with the one before; None: not at all.
        approval: Whether a person must agree first.
        limits: From where on it is worse.
        timeout: Seconds that shadow and each step of the canary may wait for their rows.
        on_timeout: What too few rows by then mean.
    """

    shadow: Shadow | None = None
    canary: Canary | None = None
    watch: float | None = 1800.0
    approval: bool = False
    limits: RolloutLimits = RolloutLimits()
    timeout: float = 21600.0
    on_timeout: Literal["stop", "promote"] = "stop"
