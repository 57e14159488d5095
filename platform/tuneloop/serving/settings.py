"""How a worker runs; from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneloop.monitoring.store_policy import POLICY_VARIABLE, StorePolicy, key_from_environment
from tuneloop.serving.device import Device, read_device
from tuneloop.serving.engine import NO_STORE
from tuneloop.serving.limits import DEFAULT_LIMITS, Limits
from tuneloop.serving.storing import StoreSettings


@dataclass(frozen=True)
class Settings:
    """How a worker runs; from its environment.

    Attributes:
        channel: Path or URL of the channel file; None: the artifact in the Bento for ever.
        store: Where answers are stored, and what of them.
        workers: Worker processes.
        threads: Threads of a worker that compute at the same time.
        limits: What clients may ask of it.
        device: Where the model runs; None: as its Bento was built.
    """

    channel: str | None = None
    store: StoreSettings = NO_STORE
    workers: int = 1
    threads: int = 2
    limits: Limits = DEFAULT_LIMITS
    device: Device | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, policy_file: Path | None = None) -> Settings:
        """Read `TUNELOOP_CHANNEL`, `..._STORE_URL`, `..._WORKERS`, `..._THREADS`, `..._DEVICE`, limits, what to store.

        Args:
            environment: Variables.
            policy_file: Says what to store where no variable does; it need not be there.

        Raises:
            ServingError: The policy or the key cannot be used.
        """
        policy = _policy(environment, policy_file)
        url = environment.get("TUNELOOP_STORE_URL") or None
        return cls(
            channel=environment.get("TUNELOOP_CHANNEL") or None,
            store=StoreSettings(url, policy, key_from_environment(policy, environment) if url else b""),
            workers=max(1, int(environment.get("TUNELOOP_WORKERS") or 1)),
            threads=max(1, int(environment.get("TUNELOOP_THREADS") or 2)),
            limits=Limits.from_environment(environment),
            device=read_device(environment) if environment.get("TUNELOOP_DEVICE") else None,
        )


def _policy(environment: Mapping[str, str], file: Path | None) -> StorePolicy:
    if file is None or environment.get(POLICY_VARIABLE) or not file.is_file():
        return StorePolicy.from_environment(environment)
    return StorePolicy.from_json(file.read_text(encoding="utf-8"), str(file))
