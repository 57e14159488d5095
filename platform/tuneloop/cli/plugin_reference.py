"""`tuneloop plugins reference`: every hook, interface and class, as Markdown made from the code."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from tuneloop import api
from tuneloop.api import API_VERSION, Plugin, hookspecs
from tuneloop.cli.option_rows import option_rows
from tuneloop.cli.project import load_plugins
from tuneloop.plugins import KINDS, PluginManager
from tuneloop.plugins.kinds import hook_arguments

HEAD = f"""# Plugin reference

Made by `tuneloop plugins reference` from the code of plugin API {API_VERSION}; [README.md](README.md) shows how to
write a plugin. Everything named here is imported from `tuneloop.api`.
"""


@click.command("reference")
def print_reference() -> None:
    """Print the whole reference as Markdown."""
    click.echo(reference(load_plugins()), nl=False)


def reference(plugins: PluginManager) -> str:
    """The whole reference, with the classes of the loaded plugins."""
    return "\n".join([HEAD, *_hooks(), *_interfaces(), *_types(), *_classes(plugins)])


def _hooks() -> Iterator[str]:
    yield "## Hooks\n\nA plugin is a module with functions of these names, marked with `@hookimpl`.\n"
    for name in hook_arguments():
        function = getattr(hookspecs, name)
        yield f"- `{name}{signature(function)}`\n  {markdown(function)}"
    yield ""


def _interfaces() -> Iterator[str]:
    yield "## Interfaces\n\nOne class to derive from a kind; a project names its classes by their `name`.\n"
    yield from _interface("every kind", Plugin)
    for info in KINDS:
        yield from _interface(info.kind, info.base, f"returned by `{info.hook}`" + _where(info.where))


def _where(place: str) -> str:
    return f", named by `{place}` in the project" if place else ""


def _interface(kind: str, base: type, place: str = "") -> Iterator[str]:
    yield f"### {base.__name__}\n\n{kind.capitalize()}{': ' if place else ''}{place}.\n"
    yield f"{markdown(base)}\n"
    variables = list(documented_variables(base))
    if variables:
        yield "| variable | what it says |\n|---|---|"
        yield from (f"| `{_cell(name)}` | {_cell(text)} |" for name, text in variables)
        yield ""
    for name, function in own_methods(base):
        member = vars(base)[name]
        marks = "" if getattr(member, "__isabstractmethod__", False) else " (optional)"
        shown = name if isinstance(member, property) else f"{name}{signature(function)}"
        yield f"- `{shown}`{marks}\n{textwrap.indent(markdown(function), '  ')}"
    yield ""


def documented_variables(base: type) -> Iterator[tuple[str, str]]:
    """Declared variables of a class with the text that follows each in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            value = getattr(after, "value", None) if isinstance(after, ast.Expr) else None
            text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
            yield ast.unparse(node), " ".join(text.split())


def own_methods(base: type) -> list[tuple[str, Any]]:
    """Public methods and properties that a class defines itself, with the function behind each."""
    found = [(name, _function(member)) for name, member in vars(base).items() if not name.startswith("_")]
    return [(name, function) for name, function in found if function is not None]


def _function(member: Any) -> Any:
    inner = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
    return inner if inspect.isfunction(inner) else None


def _types() -> Iterator[str]:
    yield "## Types\n"
    shown = {info.base for info in KINDS} | {Plugin}
    for name in api.__all__:
        value = getattr(api, name)
        if isinstance(value, type) and value not in shown and not issubclass(value, Exception):
            fields = getattr(value, "__dataclass_fields__", {})
            arguments = ", ".join(f"{field.name}: {field.type}" for field in fields.values())
            yield f"### {name}\n" + (f"\n`{name}({arguments})`\n" if fields else "")
            yield f"{markdown(value)}\n"
    yield f"### Errors\n\n{markdown(inspect.getmodule(api.TuneloopError))}\n"


def _classes(plugins: PluginManager) -> Iterator[str]:
    yield "## Classes\n"
    for info in KINDS:
        for name in plugins.names(info.kind):
            cls, record = plugins.get(info.kind, name), plugins.provider(info.kind, name)
            yield f"### {info.kind} `{name}`\n\nOf {record.distribution}, plugin `{record.name}`.\n"
            yield f"{markdown(cls)}\n"
            rows = option_rows(cls)
            if rows:
                yield "| option | type | default | what it does |\n|---|---|---|---|"
                yield from ("| " + " | ".join(map(_cell, (f"`{row.name}`", *row[1:]))) + " |" for row in rows)
                yield ""


def markdown(thing: Any) -> str:
    """A docstring with its sections (Args, Raises and so on) as lists."""
    lines: list[str] = []
    section = fence = False
    for line in (inspect.getdoc(thing) or "").splitlines():
        fence ^= line.startswith("```")
        if not fence and _SECTION.fullmatch(line):
            section = True
            lines += [line, ""]
        elif section and (entry := _ENTRY.fullmatch(line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith(" "):
            lines.append("  " + line.strip() if lines[-1].startswith(("- ", "  ")) else line.strip())
        else:
            section = section and not line
            lines.append(line)
    return "\n".join(lines)


_SECTION = re.compile(r"(Args|Attributes|Returns|Raises):")
_ENTRY = re.compile(r" {4}(\w+): (.*)")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


class _Source(str):
    """An annotation printed as it is written."""

    __slots__ = ()
    __repr__ = str.__str__


def signature(function: Any) -> str:
    """Arguments and result as they are written, without `self` and `cls`."""
    found = inspect.signature(function)
    parameters = [
        each if each.annotation is inspect.Parameter.empty else each.replace(annotation=_Source(each.annotation))
        for each in found.parameters.values()
        if each.name not in ("self", "cls")
    ]
    result = found.return_annotation
    return str(found.replace(parameters=parameters, return_annotation=_Source(result)))
