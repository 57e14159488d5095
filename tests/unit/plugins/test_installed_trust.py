"""Who may be imported, with wheels that pip installed: the project's rules, a deployment's, and the server's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HEAD = 'from tuneloop.api import Metric, hookimpl\n\nTUNELOOP_API = ">=1,<2"\n\n'
WATCHED = (
    "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"
    + HEAD
    + """
class A(Metric):
    name, maximize, kinds = {0!r}, True, frozenset({{"classification"}})

    def compute(self, predictions, references):
        return 1.0


@hookimpl
def tuneloop_metrics():
    return [A]
"""
)


def imported(environment: Any) -> set[str]:
    """The watched distributions that were imported since the last time of asking."""
    found = list(environment.site.glob("*.imported"))
    for mark in found:
        mark.unlink()
    return {mark.stem.replace("_", "-") for mark in found}


@pytest.fixture(scope="module")
def watched(new_environment: Any) -> Any:
    made = new_environment()
    made.add_all({name: {"code": WATCHED.format(name)} for name in ("one-plugin", "two-plugin")})
    return made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project file that is wrong in every way but what it says of plugins."""
    file = tmp_path / "tuneloop.yaml"
    file.write_text("# ours\nname: 3\nplugins:\n  block: [One_Plugin]  # not ours\n")
    return file


COMMANDS = [("plugins", "list"), ("plugins", "doctor"), ("plugins", "show", "tuneloop_metrics"), ("doctor",)]


@pytest.mark.parametrize("command", [*COMMANDS, ("schema",), ("runs",), ("no-such-command",)], ids=" ".join)
def test_what_a_project_blocks_is_never_imported(watched: Any, project: Path, command: tuple[str, ...]) -> None:
    imported(watched)
    done = watched.cli(*command, cwd=project.parent)
    assert "Traceback" not in done.stderr, done.stderr
    assert imported(watched) == {"two-plugin"}


def test_the_reason_names_the_file_and_the_way_back(watched: Any, project: Path) -> None:
    record = watched.records(cwd=project.parent)["one-plugin"]
    assert record["status"] == "blocked"
    line = f"`tuneloop plugins unblock --project {project.parent} one-plugin` allows it again"
    assert record["reason"] == f"{project} blocks it (plugins.block): {line}"
    done = watched.cli("plugins", "unblock", "--project", str(project.parent), "one-plugin")
    assert done.returncode == 0, done.stderr
    assert project.read_text() == "# ours\nname: 3\nplugins:\n  block: []  # not ours\n"
    assert watched.records(cwd=project.parent)["one-plugin"]["status"] == "loaded"
    assert watched.cli("plugins", "unblock", "-p", str(project), "one-plugin").returncode == 2
    assert watched.cli("plugins", "block", "-p", str(project), "two-plugin").returncode == 0
    assert watched.records(TUNELOOP_PROJECT=str(project))["two-plugin"]["status"] == "blocked"


def test_only_these_distributions(watched: Any, project: Path) -> None:
    project.write_text("plugins: {only: [two_plugin]}\n")
    records = watched.records(cwd=project.parent)
    assert records["one-plugin"]["status"] == "blocked"
    assert f"{project} allows no others than these (plugins.only): two_plugin" in records["one-plugin"]["reason"]
    assert records["two-plugin"]["status"] == "loaded"
    # Both lists count: what either leaves out is left out.
    narrowed = watched.records(cwd=project.parent, TUNELOOP_PLUGINS_ONLY="one-plugin")
    assert {record["status"] for record in narrowed.values()} == {"blocked"}
    done = watched.cli("plugins", "list", "--json", cwd=project.parent)
    assert {r["status"] for r in json.loads(done.stdout) if r["distribution"] == "tuneloop"} == {"loaded"}


@pytest.mark.parametrize(
    "content",
    ["plugins: [", "plugins: {blok: [one-plugin]}", "plugins: one-plugin", "- plugins", "plugins: {}\nplugins: 3"],
)
def test_rules_that_cannot_be_read_allow_no_stranger(watched: Any, project: Path, content: str) -> None:
    project.write_text(content)
    imported(watched)
    records = watched.records(cwd=project.parent)
    assert {record["status"] for record in records.values()} == {"blocked"}
    assert f"what {project} says of plugins cannot be read" in records["one-plugin"]["reason"]
    assert not imported(watched)
    done = watched.cli("plugins", "block", "-p", str(project), "one-plugin")
    assert done.returncode == 2
    assert "so it is not changed: mend it first" in done.stderr
    assert project.read_text() == content


def test_the_library_applies_them_too(watched: Any, project: Path) -> None:
    imported(watched)
    done = watched.python(
        f"""
        from pathlib import Path
        from tuneloop.config import project_plugins
        plugins = project_plugins(Path({str(project)!r}))
        print([r.status for r in plugins.records if r.distribution == "one-plugin"])
        print(project_plugins(Path({str(project)!r})) is plugins)
        """
    )
    assert done.stdout.split() == ["['blocked']", "True"], done.stderr
    assert imported(watched) == {"two-plugin"}


def test_rules_for_a_process_that_reads_no_project(watched: Any) -> None:
    done = watched.python(
        """
        from tuneloop.plugins import PluginRules, as_environment
        print(as_environment(PluginRules(block=("a",), only=("B_c", "d"))))
        """,
        TUNELOOP_PLUGINS_DISABLE="e",
        TUNELOOP_PLUGINS_ONLY="b-c,f",
    )
    assert done.stdout == "{'TUNELOOP_PLUGINS_DISABLE': 'e,a', 'TUNELOOP_PLUGINS_ONLY': 'b-c'}\n", done.stderr


def test_a_server_imports_what_the_manifest_names_and_nothing_else(watched: Any) -> None:
    imported(watched)
    code = """
        from tuneloop.artifact import PluginUse
        from tuneloop.serving.loader import VersionRefusedError, serving_plugins
        uses = [
            PluginUse(distribution="one-plugin", version={!r}, names=("one-plugin",), serving={}),
            PluginUse(distribution="tuneloop", version=__import__("tuneloop").__version__, names=(), serving=True),
        ]
        try:
            print(sorted(r.distribution for r in serving_plugins(uses).records if r.status == "loaded" and
                  r.distribution != "tuneloop"))
        except VersionRefusedError as error:
            print(error)
        """
    assert watched.python(code.format("1.0", True)).stdout == "['one-plugin']\n"
    assert imported(watched) == {"one-plugin"}
    assert watched.python(code.format("1.0", False)).stdout == "[]\n"
    assert not imported(watched)
    barred = watched.python(code.format("1.0", True), TUNELOOP_PLUGINS_DISABLE="one-plugin").stdout
    assert "the model needs the plugins of one-plugin 1.0: TUNELOOP_PLUGINS_DISABLE names it" in barred
    refused = watched.python(code.format("1.1", True)).stdout
    assert "the model needs the plugins of one-plugin 1.1: version 1.1 is asked for and 1.0 is installed" in refused
    assert not imported(watched)


def test_where_a_plugin_came_from(environment: Any, tmp_path: Path) -> None:
    environment.add("wheel-plugin", WATCHED.format("w"))
    folder = environment.source("editable-plugin", WATCHED.format("e"), tmp_path / "checkout")
    environment.pip("install", "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(folder))
    environment.install("path-plugin", WATCHED.format("p"))
    records = environment.records()
    found = {name: (record["origin"], record["came_from"]) for name, record in records.items()}
    assert found["editable-plugin"] == ("editable", str(folder))
    assert found["path-plugin"] == ("path", str(environment.site))
    origin, wheel = found["wheel-plugin"]
    assert origin == "wheel"
    assert wheel.endswith(".whl")
    assert Path(wheel).is_file()
    listed = environment.cli("plugins", "list").stdout
    for origin, _ in found.values():
        assert f"  {origin} " in listed


def test_two_plugins_with_one_command(environment: Any) -> None:
    code = HEAD + (
        "import click\n@hookimpl\ndef tuneloop_cli(group):\n"
        "    group.add_command(click.Command('greet', callback=lambda: click.echo('hello')))\n"
    )
    environment.add_all({name: {"code": code} for name in ("one-command", "two-command")})
    done = environment.cli("greet")
    assert done.returncode == 2
    assert "the command 'greet' is added by plugin " in done.stderr
    for name in ("one-command", "two-command"):
        assert f"plugin '{name}' of {name} 1.0" in done.stderr
        assert f"`tuneloop plugins block {name}`" in done.stderr
    assert environment.cli("greet", TUNELOOP_PLUGINS_DISABLE="two-command").stdout == "hello\n"


def test_the_trace_and_the_order_of_calls(environment: Any) -> None:
    code = HEAD + "@hookimpl{1}\ndef tuneloop_promoted(event):\n    {0}\n"
    environment.add_all(
        {
            "one-watcher": {"code": code.format("pass", ""), "version": "2.1"},
            "two-watcher": {"code": code.format("raise OSError('no route')", "(tryfirst=True)")},
            "three-watcher": {"code": code.format("pass", "(trylast=True)")},
        }
    )
    shown = environment.cli("plugins", "show", "tuneloop_promoted").stdout
    order = [line.split("'")[1] for line in shown.splitlines() if line.startswith("  ")]
    assert order == ["two-watcher", "one-watcher", "three-watcher"]
    done = environment.python(
        """
        from tuneloop.api import PromotionEvent
        from tuneloop.plugins import default_manager
        default_manager().notify("tuneloop_promoted", PromotionEvent("desk", "2", "1", "ada", "better"))
        """,
        TUNELOOP_TRACE_PLUGINS="1",
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("plugin call: tuneloop_promoted")]
    assert [line.split("'")[1] for line in lines] == order
    assert "plugin 'one-watcher' of one-watcher 2.1" in lines[1]
    assert " ms  ok" in lines[1]
    assert lines[0].endswith("raised OSError: no route")
