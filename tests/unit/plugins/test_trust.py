"""Blocked distributions are never imported, and who blocks them is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MARK = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"


def imported(file: Path) -> bool:
    return file.with_suffix(".imported").exists()


def test_the_users_list(world: Any) -> None:
    file = world.install("watched-plugin", MARK)
    done = world.cli("plugins", "block", "Watched_Plugin")
    assert done.returncode == 0
    assert "is now blocked" in done.stdout

    record = world.records()["watched-plugin"]
    doctor = world.cli("plugins", "doctor")

    assert record["status"] == "blocked"
    assert "plugins unblock" in record["reason"]
    assert record["source"] == str(file)
    assert "watched-plugin" in doctor.stdout
    assert not imported(file)

    assert world.cli("plugins", "unblock", "watched-plugin").returncode == 0
    assert world.records()["watched-plugin"]["status"] == "incompatible"
    assert imported(file)


def test_blocking_says_what_it_could_not_find(world: Any) -> None:
    world.metric("good-plugin", "good")
    done = world.cli("plugins", "block", "god-plugin")
    assert "no installed distribution of this name has plugins. Did you mean 'good-plugin'?" in done.stderr
    assert world.cli("plugins", "unblock", "other").returncode == 2
    assert world.cli("plugins", "block", "tuneloop").returncode == 2


def test_an_unreadable_list_is_not_taken_for_an_empty_one(world: Any) -> None:
    file = world.install("watched-plugin", MARK)
    (world.home / "tuneloop").mkdir(parents=True)
    (world.home / "tuneloop" / "plugins.json").write_text('{"blocked": "watched-plugin"}')
    done = world.cli("plugins", "list")
    assert done.returncode == 2
    assert "plugins.json cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert not imported(file)


def test_environment_variables(world: Any) -> None:
    file = world.install("watched-plugin", MARK)
    world.metric("good-plugin", "good")
    disabled = world.records(TUNELOOP_PLUGINS_DISABLE="other, watched-plugin")
    assert disabled["watched-plugin"]["reason"] == "TUNELOOP_PLUGINS_DISABLE names it"
    only = world.records(TUNELOOP_PLUGINS_ONLY="good_plugin,absent-plugin")
    assert only["watched-plugin"]["status"] == "blocked"
    assert only["good-plugin"]["status"] == "loaded"
    assert "pip install absent-plugin" in only["absent-plugin"]["reason"]
    assert not imported(file)


def test_only_these_versions(world: Any) -> None:
    world.metric("good-plugin", "good", version="1.2")
    file = world.install("old-plugin", MARK, version="1.0")
    done = world.python(
        """
        from tuneloop.plugins import PluginManager
        for r in PluginManager(only={"good-plugin": "1.2", "old-plugin": "2.0"}).load().records:
            print(r.distribution, r.status, r.reason)
        """
    )
    assert "good-plugin loaded" in done.stdout, done.stderr
    assert (
        "old-plugin incompatible version 2.0 is asked for and 1.0 is installed: pip install 'old-plugin==2.0'"
        in done.stdout
    )
    assert not imported(file)
