"""plugins/REFERENCE.md is what the code says, and nothing in it is without words."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tuneloop.api import Plugin, hookspecs
from tuneloop.cli.option_rows import option_rows
from tuneloop.cli.plugin_reference import documented_variables, own_methods, reference
from tuneloop.plugins import KINDS, PluginManager
from tuneloop.plugins.kinds import hook_arguments

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def builtins():
    plugins = PluginManager(only=()).load()
    assert {record.status for record in plugins.records} <= {"loaded", "blocked"}
    return plugins


def test_it_is_up_to_date(builtins):
    committed = (REPOSITORY / "plugins" / "REFERENCE.md").read_text(encoding="utf-8")
    made = reference(builtins)
    assert made == committed, (
        "plugins/REFERENCE.md is out of date: TUNELOOP_PLUGINS_ONLY= tuneloop plugins reference > plugins/REFERENCE.md"
    )


def test_the_command_prints_it(tuneloop, builtins):
    done = tuneloop("plugins", "reference", TUNELOOP_PLUGINS_ONLY="")
    assert done.returncode == 0, done.stderr
    assert done.stdout == reference(builtins)


@pytest.mark.parametrize("hook", hook_arguments())
def test_every_hook_has_a_sentence(hook):
    text = getattr(hookspecs, hook).__doc__ or ""
    assert text.strip().endswith("."), hook


@pytest.mark.parametrize("base", [Plugin, *(info.base for info in KINDS)])
def test_every_interface_is_explained(base):
    assert vars(base).get("__doc__")
    assert [name for name, text in documented_variables(base) if not text] == []
    assert [name for name, function in own_methods(base) if not inspect.getdoc(function)] == []


def test_every_class_and_option_is_explained(builtins):
    for info in KINDS:
        for cls in builtins.classes(info.kind):
            assert (vars(cls).get("__doc__") or "").strip(), cls
            assert [row.name for row in option_rows(cls) if not row.description.strip()] == [], cls


def test_a_bare_name_is_found(builtins):
    """The checks above see what is missing."""

    class Bare(Plugin):
        extra: int

        def act(self):
            pass

    assert ("extra: int", "") in list(documented_variables(Bare))
    assert [name for name, function in own_methods(Bare) if not inspect.getdoc(function)] == ["act"]
