"""`plugins` of a project: read on its own, changed without touching another byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ConfigError, TuneloopError
from tuneloop.config import block_in_project, read_rules, unblock_in_project
from tuneloop.plugins import PluginRules

FORMS = [
    ("name: x\n", "name: x\n\nplugins:\n  block: [bad-plugin]\n"),
    ("name: x", "name: x\n\nplugins:\n  block: [bad-plugin]\n"),
    ("# c\nplugins: {}\nname: x\n", "# c\nplugins: {block: [bad-plugin]}\nname: x\n"),
    ("plugins: {only: [a]}  # c\n", "plugins: {block: [bad-plugin], only: [a]}  # c\n"),
    ("plugins: {block: [a]}\n", "plugins: {block: [a, bad-plugin]}\n"),
    ("plugins:\n  only: [a] # c\nname: x\n", "plugins:\n  block: [bad-plugin]\n  only: [a] # c\nname: x\n"),
    ("plugins:\n  block: [a, b] # c\nname: x\n", "plugins:\n  block: [a, b, bad-plugin] # c\nname: x\n"),
    (
        "plugins:\n  block:\n  - a # c\n\n# d\nname: x\n",
        "plugins:\n  block:\n  - a # c\n  - bad-plugin\n\n# d\nname: x\n",
    ),
    ("plugins:\n    block:\n      - a", "plugins:\n    block:\n      - a\n      - bad-plugin\n"),
    ("a: 1\r\nplugins:\r\n  block: []\r\n", "a: 1\r\nplugins:\r\n  block: [bad-plugin]\r\n"),
]


@pytest.mark.parametrize(("before", "after"), FORMS, ids=[before for before, _ in FORMS])
def test_every_other_byte_stays(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "tuneloop.yaml"
    file.write_bytes(before.encode())
    assert block_in_project(file, "Bad_Plugin")
    assert file.read_bytes().decode() == after
    assert not block_in_project(file, "bad.plugin")
    assert unblock_in_project(file, "bad-plugin")
    assert not unblock_in_project(file, "bad-plugin")
    assert "bad-plugin" not in read_rules(file).block


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "plugins:\n  block:\n  - a # c\n  - bad # d\n  # e\nname: x\n",
            "plugins:\n  block:\n  - a # c\n  # e\nname: x\n",
        ),
        ("plugins:\n  block:\n  - bad\nname: x\n", "plugins:\n  block:\n   []\nname: x\n"),
        ("plugins: {block: [a, bad, b], only: [c]}\n", "plugins: {block: [a, b], only: [c]}\n"),
    ],
)
def test_taking_one_off(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "tuneloop.yaml"
    file.write_text(before)
    assert unblock_in_project(file, "Bad")
    assert file.read_text() == after


def test_what_cannot_be_changed_is_left(tmp_path: Path) -> None:
    file = tmp_path / "tuneloop.yaml"
    for text in ("{name: x}\n", "a: &a [x]\nplugins: {block: *a}\n"):
        file.write_text(text)
        with pytest.raises(TuneloopError, match=r"cannot be changed by a program\. Put this there yourself:"):
            block_in_project(file, "bad-plugin")
        assert file.read_text() == text
    with pytest.raises(TuneloopError, match="cannot be read"):
        block_in_project(tmp_path / "absent.yaml", "bad-plugin")


def test_no_file_and_no_section_have_no_rules(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "tuneloop.yaml") == PluginRules()
    (tmp_path / "tuneloop.yaml").write_text("name: [1]\ntask: {}\n")
    assert read_rules(tmp_path / "tuneloop.yaml") == PluginRules()
    assert read_rules(tmp_path).only == ()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{blok: [a]}", "plugins.blok: unknown key. Did you mean 'block'?"),
        ("{block: [tuneloop]}", "plugins.block[0]: value 'tuneloop': expected another distribution: the built-in plug"),
        ("{only: ['a>=1']}", "plugins.only[0]: value 'a>=1': expected the name of a distribution as pip shows it"),
        ("{only: a}", "plugins.only: value 'a': expected a list"),
        ("[a]", "plugins: value ['a']: expected a mapping"),
    ],
)
def test_what_may_stand_there(parse: Any, desk: str, section: str, said: str) -> None:
    parse(f"{desk}plugins: {{block: [a], only: [b.c]}}\n")
    with pytest.raises(ConfigError) as caught:
        parse(f"{desk}plugins: {section}\n")
    assert any(said in problem for problem in caught.value.problems), caught.value
