"""A tokenizer's chat template: messages to a prompt, in Jinja's sandbox."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from tuneloop.api import MissingExtraError, RequestError


class ChatTemplate:
    """Renders messages as the model saw them in training.

    Args:
        template: In Jinja.
        words: Special tokens it may name, such as `bos_token`.

    Raises:
        MissingExtraError: Jinja is not installed.
    """

    def __init__(self, template: str, words: Mapping[str, str]) -> None:
        self._template, self._words = _compiled(template), dict(words)

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's next message follows.

        Raises:
            RequestError: The template does not take these messages.
        """
        from jinja2 import TemplateError

        try:
            return str(self._template.render(messages=list(messages), add_generation_prompt=True, **self._words))
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise RequestError(f"the chat template does not take them: {error}", field="messages") from error


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> Any:
    try:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise MissingExtraError("the chat door", "jinja2", "serve") from error

    def refuse(message: str) -> NoReturn:
        raise TemplateError(message)

    # The settings and helpers are those that transformers gives to templates.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
    return environment.from_string(template)
