"""How a text is generated: what a request may ask for."""

from __future__ import annotations

from typing import Annotated

import pydantic

MOST_TEXTS = 64
"""Rows of a request: each may take as long as a thousand rows that are classified."""
MOST_STOPS = 16
MOST_BEAMS = 8
LONGEST_STOP = 200
"""Characters."""


class GenerationOptions(pydantic.BaseModel):
    """How a text is generated. Without any, the most probable token is taken each time, so that answers repeat."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    max_tokens: int | None = pydantic.Field(
        None, ge=1, le=1 << 20, description="Tokens generated, at most; null: as many as the model was made for."
    )
    temperature: float = pydantic.Field(
        0.0,
        ge=0,
        le=100,
        description="0: always the most probable token; above, tokens are drawn, 1 as probable as is.",
    )
    top_k: int = pydantic.Field(0, ge=0, description="Tokens are drawn among so many of the most probable; 0: all.")
    top_p: float = pydantic.Field(
        1.0, gt=0, le=1, description="Tokens are drawn among the fewest whose probabilities sum to this."
    )
    seed: int | None = pydantic.Field(
        None, ge=0, lt=1 << 63, description="Equal seeds draw equal tokens; null: a new one each time."
    )
    stop: tuple[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=LONGEST_STOP)], ...] = (
        pydantic.Field(
            (), max_length=MOST_STOPS, strict=False, description="Texts that end the answer; they are no part of it."
        )
    )
    beams: int = pydantic.Field(
        1, ge=1, le=MOST_BEAMS, description="Above 1, so many continuations are followed, and the most probable wins."
    )
    length_penalty: float = pydantic.Field(
        1.0, ge=-10, le=10, description="Beams are compared by log-probability over length to this power."
    )

    @pydantic.model_validator(mode="after")
    def _draw_or_follow(self) -> GenerationOptions:
        if self.beams > 1 and self.temperature > 0:
            raise ValueError("beams follow the most probable tokens: they and a temperature above 0 exclude each other")
        return self


GREEDY = GenerationOptions()
