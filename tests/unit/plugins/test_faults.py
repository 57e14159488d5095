"""More faults than those of `test_installed_faults`, each a variant of one, in a distribution laid out by hand."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = 'from tuneloop.api import Metric, hookimpl\n\nTUNELOOP_API = ">=1,<2"\n\n'
SOUND = 'name, maximize, kinds = "{0}", True, frozenset({{"classification"}})'


def broken(source: str) -> str:
    return HEAD + source


FAULTS: dict[str, tuple[str | None, str, tuple[str, ...]]] = {
    "syntax error": ("def f(:\n", "failed", ("SyntaxError", "bad_plugin.py, line 1")),
    "exit at import": ("raise SystemExit(3)", "failed", ("SystemExit: 3",)),
    "no module": (None, "failed", ("refers to the module 'bad_plugin', which does not exist", "reinstall bad-plugin")),
    "wrong range": ('TUNELOOP_API = ">=2"', "incompatible", ("written for plugin API >=2", "has 1.0")),
    "no range": ("x = 1", "incompatible", ("does not say which plugin API", 'TUNELOOP_API = ">=1,<2"')),
    "bad range": ('TUNELOOP_API = "one"', "incompatible", ("'one' is no version range",)),
    "number as range": ("TUNELOOP_API = 1", "incompatible", ("TUNELOOP_API = 1 is no version range",)),
    "arguments where none are": (
        broken("@hookimpl\ndef tuneloop_metrics(config):\n    return []"),
        "failed",
        ("takes 'config', but this hook gives no arguments",),
    ),
    "no mark": (broken("def tuneloop_metrics():\n    return []"), "failed", ("is not marked with @hookimpl",)),
    "no hooks": (broken(""), "failed", ("no hook function marked with @hookimpl",)),
    "wrapper": (
        broken("@hookimpl(wrapper=True)\ndef tuneloop_promoted(event):\n    return (yield)"),
        "failed",
        ("hook wrapper",),
    ),
    "no list": (
        broken("@hookimpl\ndef tuneloop_metrics():\n    return None"),
        "failed",
        ("returned None", "return a list"),
    ),
    "instance": (broken("@hookimpl\ndef tuneloop_metrics():\n    return [3]"), "failed", ("3: it is not a class",)),
    "other base": (
        broken("class A:\n    pass\n@hookimpl\ndef tuneloop_metrics():\n    return [A]"),
        "failed",
        ("A: it does not derive from tuneloop.api.Metric",),
    ),
    "abstract": (
        broken(f"class A(Metric):\n    {SOUND.format('a')}\n@hookimpl\ndef tuneloop_metrics():\n    return [A]"),
        "failed",
        ("A: it lacks compute",),
    ),
    "nameless": (
        broken(
            "class A(Metric):\n    def compute(self, p, r):\n        return 1.0\n"
            "@hookimpl\ndef tuneloop_metrics():\n    return [A]"
        ),
        "failed",
        ("A: its `name` is None", "does not set kinds, maximize"),
    ),
    "options undescribed": (
        broken(
            f"import pydantic\nclass A(Metric):\n    {SOUND.format('a')}\n    class Options(pydantic.BaseModel):\n"
            "        alpha: int = 1\n    def compute(self, p, r):\n        return 1.0\n"
            "@hookimpl\ndef tuneloop_metrics():\n    return [A]"
        ),
        "failed",
        ("Options describes no alpha",),
    ),
    "one name twice": (
        broken(
            f"class A(Metric):\n    {SOUND.format('a')}\n    def compute(self, p, r):\n        return 1.0\n"
            "class B(A):\n    pass\n@hookimpl\ndef tuneloop_metrics():\n    return [A, B]"
        ),
        "failed",
        ("two classes with one name: 'a'",),
    ),
    "hostile module": (
        broken("def __getattr__(name):\n    raise RuntimeError('no ' + name)\ndef __dir__():\n    return ['ghost']"),
        "failed",
        ("no hook function",),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_loads(world: Any, fault: str) -> None:
    source, status, said = FAULTS[fault]
    world.install("bad-plugin", source, version="2.5", entry="bad")
    world.metric("good-plugin", "good")

    records = world.records()

    assert records["good-plugin"]["status"] == "loaded"
    assert records["good-plugin"]["classes"] == [["metric", "good"]]
    record = records["bad-plugin"]
    assert (record["status"], record["name"], record["version"]) == (status, "bad", "2.5")
    for text in said:
        assert text in record["reason"], record["reason"]
    assert not record["classes"]


def test_reasons_show_the_plugins_own_frames(world: Any) -> None:
    file = world.install("bad-plugin", broken("def deep():\n    return {}['x']\ndeep()"))
    trace = world.records()["bad-plugin"]["traceback"]
    assert trace.startswith("Traceback")
    assert f'File "{file}", line 6, in deep' in trace
    assert "importlib" not in trace


def test_blocking_one_of_two_settles_their_conflict(world: Any) -> None:
    world.metric("first-plugin", "one", entry="same")
    world.metric("second-plugin", "two", entry="same")
    records = world.records(TUNELOOP_PLUGINS_DISABLE="second_plugin")
    assert (records["first-plugin"]["status"], records["second-plugin"]["status"]) == ("loaded", "blocked")


def test_unreadable_entry_points(world: Any) -> None:
    world.metric("good-plugin", "good")
    world.metric("bad-plugin", "bad")
    (world.site / "bad_plugin-1.0.dist-info" / "entry_points.txt").write_text("[tuneloop.plugins]\nno equals sign\n")
    # pydantic reads the entry points of all distributions too, and does not survive this one.
    records = world.records(PYDANTIC_DISABLE_PLUGINS="__all__")
    assert records["bad-plugin"]["status"] == "failed"
    assert "entry_points.txt cannot be read" in records["bad-plugin"]["reason"]
    assert records["good-plugin"]["status"] == "loaded"


def test_an_entry_point_that_is_no_module(world: Any) -> None:
    world.metric("bad-plugin", "bad")
    (world.site / "bad_plugin-1.0.dist-info" / "entry_points.txt").write_text("[tuneloop.plugins]\nbad = a b/c\n")
    assert "refers to 'a b/c', which is no module name" in world.records()["bad-plugin"]["reason"]


def test_a_folder_without_a_module(world: Any) -> None:
    world.install("bad-plugin", None)
    (world.site / "bad_plugin").mkdir()
    assert "is a folder without __init__.py: reinstall bad-plugin" in world.records()["bad-plugin"]["reason"]


def test_what_a_plugin_prints_does_not_spoil_json(world: Any) -> None:
    world.install("loud-plugin", "print('hello')\n" + broken("@hookimpl\ndef tuneloop_metrics():\n    return []"))
    assert world.records()["loud-plugin"]["status"] == "loaded"


def test_a_slow_import_is_named_while_it_lasts(world: Any) -> None:
    world.install("slow-plugin", broken("import threading\nthreading.Event().wait(0.3)"))
    done = world.python(
        """
        import logging
        logging.basicConfig()
        from tuneloop.plugins import PluginManager, loading
        loading.SLOW_SECONDS = 0.05
        print([r.import_seconds > 0.2 for r in PluginManager().load().records if r.name == "slow-plugin"])
        """
    )
    assert done.stdout.strip() == "[True]"
    assert "plugin 'slow-plugin' of slow-plugin 1.0 is still being imported" in done.stderr
