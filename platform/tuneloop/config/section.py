"""What the shapes of sections are made of."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Section(pydantic.BaseModel):
    """Keys that are known, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class WithOptions(pydantic.BaseModel):
    """Keys that are known; all others are options of the plugin that the section names."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
