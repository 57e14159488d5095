"""Change `plugins.block` in a project file, and leave every other byte of it as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuneloop.api import TuneloopError
from tuneloop.artifact import write_atomic
from tuneloop.config.trust import SECTION, none_allowed, parse_rules

_KEY = "block"


def block_in_project(file: Path, distribution: str) -> bool:
    """Add a distribution to `plugins.block`; says whether it was new.

    Raises:
        TuneloopError: The file cannot be read, changed or written.
    """
    name = canonicalize_name(distribution)
    return _change(file, lambda names: [*names, name] if name not in map(canonicalize_name, names) else names)


def unblock_in_project(file: Path, distribution: str) -> bool:
    """Take a distribution off `plugins.block`; says whether it was on it. Errors as in `block_in_project`."""
    name = canonicalize_name(distribution)
    return _change(file, lambda names: [each for each in names if canonicalize_name(each) != name])


def _change(file: Path, edit: Callable[[list[str]], list[str]]) -> bool:
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TuneloopError(f"{file} cannot be read: {error}") from error
    before = parse_rules(text.encode(), file)
    if before == none_allowed(file):
        raise TuneloopError(f"what {file} says of plugins cannot be read, so it is not changed: mend it first")
    names = list(before.block)
    wanted = edit(names)
    if wanted == names:
        return False
    changed = _edited(text, wanted)
    if changed is None or parse_rules(changed.encode(), file).block != tuple(wanted):
        listed = ", ".join(wanted)
        raise TuneloopError(
            f"{file} is written in a way that cannot be changed by a program. Put this there yourself:\n"
            f"{SECTION}:\n  {_KEY}: [{listed}]"
        )
    try:
        write_atomic(file, changed.encode())
    except OSError as error:
        raise TuneloopError(f"{file} cannot be written: {error.strerror or error}") from error
    return True


def _edited(text: str, names: list[str]) -> str | None:
    """The text with another list of names; None where it is not of a form that can be edited."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError:
        return None
    if not isinstance(root, MappingNode) or root.flow_style:
        return None
    listed, end = f"[{', '.join(names)}]", "\r\n" if "\r\n" in text else "\n"
    section = _value(root, SECTION)
    if section is None:
        return f"{text.rstrip()}{end}{end}{SECTION}:{end}  {_KEY}: {listed}{end}"
    if isinstance(section, ScalarNode):
        return _replaced(text, section, f"{end}  {_KEY}: {listed}")
    if not isinstance(section, MappingNode):
        return None
    block = _value(section, _KEY)
    if isinstance(block, SequenceNode) and not block.flow_style:
        return _edit_lines(text, block, names, end)
    if block is not None:
        return _replaced(text, block, listed)
    start = section.start_mark.index
    if section.flow_style:
        more = ", " if section.value else ""
        return f"{text[: start + 1]}{_KEY}: {listed}{more}{text[start + 1 :]}"
    return f"{text[:start]}{_KEY}: {listed}{end}{' ' * section.start_mark.column}{text[start:]}"


def _value(mapping: MappingNode, key: str) -> Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _replaced(text: str, node: Node, new: str) -> str:
    """The text with a node's own text replaced. That of a value left out begins right after the colon."""
    start = node.start_mark.index
    blank = " " if text[start - 1 : start] == ":" and not new[0].isspace() else ""
    return text[:start] + blank + new + text[node.end_mark.index :]


def _edit_lines(text: str, block: SequenceNode, names: list[str], end: str) -> str:
    """The text with another list of names, where each stands on a line of its own."""
    kept = [item for item in block.value if item.value in names]
    lines = text.splitlines(keepends=True)
    last = block.value[-1].end_mark.line
    if len(names) > len(kept):
        lines[last] = lines[last].rstrip("\r\n") + end
        lines[last + 1 : last + 1] = [f"{' ' * block.start_mark.column}- {name}{end}" for name in names[len(kept) :]]
    elif kept:
        for item in block.value[::-1]:
            if item not in kept:
                del lines[item.start_mark.line]
    else:
        first = block.start_mark.line
        lines[first : last + 1] = [f"{' ' * (block.start_mark.column + 1)}[]{end}"]
    return "".join(lines)
