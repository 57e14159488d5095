"""Problems of a project file, and pydantic's errors put into the words of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from tuneloop.plugins import nearest
from tuneloop.plugins.names import closest

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of the file down to a value."""

Model = TypeVar("Model", bound=pydantic.BaseModel)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong: its line, the path of the value, and what would be valid."""

    line: int
    path: KeyPath
    text: str

    def render(self, file: str) -> str:
        """One line for a person: `tuneloop.yaml:3: data.split: ...`."""
        where = dotted(self.path)
        return f"{file}:{self.line}: {where}: {self.text}" if where else f"{file}:{self.line}: {self.text}"


def dotted(path: KeyPath) -> str:
    """A path as people write it: `data.transforms[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def quoted(value: object) -> str:
    """A value as messages quote it: shortened, in YAML's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def validate(
    model: type[Model], value: Any, prefix: KeyPath, line: Callable[[KeyPath], int], core: Iterable[str] = ()
) -> tuple[Model | None, list[Problem]]:
    """Validate a value with a pydantic model, and put all that is wrong into words.

    Args:
        model: What the value must fit. Unknown keys are problems unless the model allows them.
        value: From the file.
        prefix: Where `value` stands in the file.
        line: Gives the line of a path.
        core: Keys that are valid beside the model's own; only offered, never expected in `value`.
    """
    known = _keys(model, core)
    grouped: dict[KeyPath, list[ErrorDetails]] = {}
    instance: Model | None = None
    try:
        instance = model.model_validate(value)
    except pydantic.ValidationError as error:
        for detail in error.errors(include_url=False):
            grouped.setdefault(_place(detail, value), []).append(detail)
    except Exception as error:
        # Validators of a plugin's options are foreign code.
        return None, [Problem(line(prefix), prefix, f"checking this raised {type(error).__name__}: {error}")]
    unknown = {place for place, details in grouped.items() if details[0]["type"] == "extra_forbidden"}
    unknown |= set(_unknown(value, known))
    meant = {_meant(place, known) for place in unknown}
    problems = [Problem(line(prefix + place), prefix + place, _unknown_text(place, known)) for place in unknown]
    for place, details in grouped.items():
        if place in unknown or (details[0]["type"] == "missing" and place in meant):
            continue
        problems.append(Problem(line(prefix + place), prefix + place, _say(details)))
    return (None if problems else instance), problems


def _keys(model: type[pydantic.BaseModel], core: Iterable[str] = (), depth: int = 4) -> dict[KeyPath, set[str]]:
    """The valid keys of a model and of the models within it, by path; models that allow any are left out."""
    known: dict[KeyPath, set[str]] = {}
    if model.model_config.get("extra") != "allow":
        known[()] = _names(model) | set(core)
    for name, spec in model.model_fields.items() if depth else ():
        nested = _models(spec.annotation)
        for part in nested:
            for place, names in _keys(part, depth=depth - 1).items():
                known.setdefault((spec.alias or name, *place), set()).update(names)
        if any(part.model_config.get("extra") == "allow" for part in nested):
            known.pop((spec.alias or name,), None)
    return known


def _unknown(value: Any, known: Mapping[KeyPath, set[str]]) -> Iterator[KeyPath]:
    for place, names in known.items():
        inner = value
        for part in place:
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping):
            yield from ((*place, key) for key in inner if key not in names)


def _names(model: type[pydantic.BaseModel]) -> set[str]:
    by_name = model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name")
    return {
        key
        for name, spec in model.model_fields.items()
        for key in (name if by_name or not spec.alias else "", spec.alias)
        if key
    }


def _models(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """The pydantic models within an annotation such as `Stopping | None`."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _place(detail: ErrorDetails, value: Any) -> KeyPath:
    """Where an error is, without the names of union members that pydantic puts among the keys."""
    place: list[str | int] = []
    for part in detail["loc"]:
        keys = value if isinstance(value, Mapping) else range(len(value)) if isinstance(value, list) else ()
        if part in keys:
            value = value[part]
        else:
            if detail["type"] == "missing" and isinstance(value, Mapping) and part == detail["loc"][-1]:
                place.append(part)
            break
        place.append(part)
    return tuple(place)


def _meant(place: KeyPath, known: Mapping[KeyPath, set[str]]) -> KeyPath:
    name = closest(str(place[-1]), known.get(place[:-1], ()))
    return (*place[:-1], name) if name else ()


def _unknown_text(place: KeyPath, known: Mapping[KeyPath, set[str]]) -> str:
    names = known.get(place[:-1], set())
    listed = f" Known here: {', '.join(sorted(names))}" if names else ""
    return f"unknown key.{nearest(str(place[-1]), names)}{listed}"


def _say(details: list[ErrorDetails]) -> str:
    if details[0]["type"] == "missing":
        return "this key is missing and has no default"
    wanted = list(dict.fromkeys(_wanted(detail) for detail in details))
    return f"value {quoted(details[0]['input'])}: expected {' or '.join(wanted)}"


_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "a text (in quotes, if it looks like a number)",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "none_required": "null",
    "path_type": "a path",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def _wanted(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _WANTED:
        return _WANTED[kind]
    if kind in _BOUNDS:
        bound = next(context[name] for name in ("gt", "ge", "lt", "le") if name in context)
        return f"a number {_BOUNDS[kind]} {bound}"
    if kind in ("literal_error", "enum"):
        return f"{context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("too_short", "string_too_short"):
        return f"at least {context['min_length']} of them" if kind == "too_short" else "a text that is not empty"
    if kind in ("too_long", "string_too_long"):
        return f"at most {context['max_length']} " + ("of them" if kind == "too_long" else "characters")
    if kind == "string_pattern_mismatch":
        return f"a text that matches {context['pattern']}"
    message = detail["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")
