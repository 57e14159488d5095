"""Templates to pages: every value escaped, times and figures in one way everywhere."""

from __future__ import annotations

import functools
import hashlib
import time
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from tuneloop.api import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def render(name: str, /, **values: Any) -> str:
    """A page.

    Args:
        name: The template's file name.
        **values: What it shows; texts are escaped, `markupsafe.Markup` goes in as it is.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    return _environment().get_template(name).render(**values)


@functools.cache
def style() -> tuple[str, str]:
    """The style sheet, that of reports and ours, and a name that changes with it."""
    ours = resources.files("tuneloop.loop.web").joinpath("templates", "page.css").read_text(encoding="utf-8")
    text = resources.files("tuneloop.report").joinpath("style.css").read_text(encoding="utf-8") + ours
    return text, hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("the loop's page", "jinja2", "loop") from error
    environment = Environment(
        loader=PackageLoader("tuneloop.loop.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=moment, iso=iso, ago=ago, span=span, seconds_of=seconds_of)
    environment.globals["style_name"] = style()[1]
    return environment


def moment(seconds: float) -> str:
    """Unix seconds as `2026-11-21 13:05` in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def ago(seconds: float) -> str:
    """How long ago a Unix second was, in words; or how far ahead it is."""
    gone = time.time() - seconds
    if abs(gone) < _MINUTE / 2:
        return "just now"
    return f"{span(gone)} ago" if gone > 0 else f"in {span(-gone)}"


def span(seconds: float) -> str:
    """A length of time in words: `45 s`, `12 min`, `3 h`, `2 days`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE * 1.5:
        return f"{seconds:.0f} s"
    if seconds < _HOUR * 1.5:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY * 2:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def seconds_of(text: str) -> float:
    """The Unix second of a time in ISO 8601; 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
