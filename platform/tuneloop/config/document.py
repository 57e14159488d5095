"""A YAML file as plain values that remember their lines.

The nodes of the composer are read instead of ruamel's round-trip containers, because only they show duplicate keys
and keep keys such as `on` and `no` as the text that was written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuneloop.config.problems import KeyPath, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 20_000

_PREFIX = "tag:yaml.org,2002:"
_TEXT_TAGS = {_PREFIX + name for name in ("str", "timestamp")}
_VALUE_TAGS = {_PREFIX + name for name in ("int", "float", "bool", "null")}


@dataclass(slots=True)
class Document:
    """A project file's content.

    Attributes:
        value: Plain dicts with text keys, lists, texts, numbers, booleans and None.
        lines: The line of each key and item by its path, counted from 1.
        problems: What is wrong with the YAML itself.
    """

    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of its nearest parent that is there."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def read_document(content: bytes) -> Document:
    """Read one YAML 1.2 document. What is wrong stands in `problems`; it never raises."""
    if len(content) > MAX_BYTES:
        return _broken(f"the file has {len(content):,} bytes: a project file has at most {MAX_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return _broken("this is no text file in UTF-8: a project file is YAML text", line)
    if "\0" in text:
        return _broken("this is a binary file: a project file is YAML text")
    reader = YAML(typ="safe", pure=True)
    try:
        root = reader.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, [error.context, error.problem]))
        return _broken(f"this is no valid YAML: {said}", mark.line + 1 if mark else 1)
    except YAMLError as error:
        return _broken(f"this is no valid YAML: {' '.join(str(error).split())}")
    except (Exception, RecursionError) as error:
        # On malformed input the parser also fails with errors that are not its own.
        return _broken(f"this is no valid YAML: {type(error).__name__}: {error}")
    document = Document()
    if root is None:
        document.problems.append(Problem(1, (), "the file is empty: `tuneloop init` writes one to start from"))
        return document
    document.value = _Builder(document, reader).build(root, (), 0)
    return document


class _Builder:
    """Turns nodes into plain values, and notes lines and problems on the way."""

    def __init__(self, document: Document, reader: YAML) -> None:
        self.document, self.reader = document, reader
        self.count = 0

    def build(self, node: Node, path: KeyPath, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            if self.count == MAX_NODES + 1:
                self.complain(node, path, f"more than {MAX_NODES:,} values: anchors that repeat each other?")
            return None
        if depth > MAX_DEPTH:
            self.complain(node, path, f"more than {MAX_DEPTH} levels deep: an anchor that contains itself?")
            return None
        if isinstance(node, MappingNode) and _tag(node) == _PREFIX + "map":
            return self.mapping(node, path, depth)
        if isinstance(node, SequenceNode) and _tag(node) == _PREFIX + "seq":
            items = []
            for index, item in enumerate(node.value):
                self.document.lines[(*path, index)] = item.start_mark.line + 1
                items.append(self.build(item, (*path, index), depth + 1))
            return items
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        self.complain(node, path, f"the tag {_tag(node)!r} is not used in project files: leave it out")
        return None

    def mapping(self, node: MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.complain(key, path, "a list or mapping as a key: write a name")
                continue
            name = str(key.value)
            if name in values:
                said = f"this key stands here a second time; the first is in line {first[name]}: keep one of them"
                self.document.problems.append(Problem(line, (*path, name), said))
                continue
            first[name] = self.document.lines[(*path, name)] = line
            values[name] = self.build(value, (*path, name), depth + 1)
        return values

    def scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        tag = _tag(node)
        if tag in _TEXT_TAGS:
            return str(node.value)
        if tag in _VALUE_TAGS:
            try:
                value = self.reader.constructor.construct_object(node, deep=True)
            except Exception:
                self.complain(node, path, f"value {_short(node.value)!r} cannot be read as {tag.removeprefix(_PREFIX)}")
                return None
            if isinstance(value, float):
                value = float(value)
                if not math.isfinite(value):
                    self.complain(node, path, f"value {node.value}: a finite number")
                    return None
            return value
        self.complain(node, path, f"the tag {tag!r} is not used in project files: leave it out")
        return None

    def complain(self, node: Node, path: KeyPath, text: str) -> None:
        self.document.problems.append(Problem(node.start_mark.line + 1, path, text))


def _tag(node: Node) -> str:
    return str(node.tag)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _broken(text: str, line: int = 1) -> Document:
    return Document(problems=[Problem(line, (), text)])
