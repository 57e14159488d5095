"""What Alertmanager posts, version 4 of its webhook: the fields the loop reads, checked."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Literal

import pydantic

from tuneloop.loop.deciding.decisions import Incoming

Text = Annotated[str, pydantic.StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, pydantic.StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
_MOST_ALERTS = 10_000


class PostedAlert(pydantic.BaseModel):
    """One alert of a payload. `startsAt` and `fingerprint` together know it again."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    status: Literal["firing", "resolved"]
    labels: dict[Name, Name]
    annotations: dict[Name, Text] = {}
    startsAt: pydantic.AwareDatetime  # noqa: N815
    fingerprint: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9A-Za-z]{1,64}$")]

    @pydantic.field_validator("labels")
    @classmethod
    def _named(cls, labels: dict[str, str]) -> dict[str, str]:
        if not labels.get("alertname"):
            raise ValueError("there is no alertname")
        return labels

    def incoming(self) -> Incoming:
        """The alert as the loop records it."""
        alert = self.labels["alertname"]
        return Incoming(
            alert=alert,
            model=self.labels.get("model", ""),
            version=self.labels.get("version", "")[:100],
            signal=self.labels.get("signal", ""),
            fingerprint=self.fingerprint,
            started=self.startsAt.astimezone(UTC).isoformat(),
            summary=self.annotations.get("summary") or alert,
            firing=self.status == "firing",
        )


class Payload(pydantic.BaseModel):
    """The body of one notification."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    version: Literal["4"]
    alerts: Annotated[list[PostedAlert], pydantic.Field(max_length=_MOST_ALERTS)]
