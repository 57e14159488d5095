"""Fill a page's template: the one style of all pages, and every value escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from tuneloop.api import MissingExtraError


def fill(name: str, *, drawings: Mapping[str, str], **values: Any) -> str:
    """The page.

    Args:
        name: The template's path in this package.
        drawings: SVG by name; they go into the page as they are, so whoever draws escapes what comes from data.
        **values: What the template shows; texts are escaped.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("the report", "jinja2", "train") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = resources.files("tuneloop.report")
    style = Markup(folder.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704
    drawn = {key: Markup(drawing) for key, drawing in drawings.items()}  # noqa: S704
    template = environment.from_string(folder.joinpath(name).read_text(encoding="utf-8"))
    return template.render(style=style, drawings=drawn, **values)
