"""Each fault of a plugin as a wheel that pip installed: what is said of it, and that all else goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

HEAD = 'from tuneloop.api import Metric, hookimpl\n\nTUNELOOP_API = ">=1,<2"\n\n'
METRIC = '''
class A(Metric):
    """Share of exact answers."""

    name, maximize, kinds = "{0}", True, frozenset({{"classification"}})
{1}
    def compute(self, predictions, references):
        return 1.0


@hookimpl
def tuneloop_metrics():
    return [A]
'''


def metric(name: str, more: str = "") -> str:
    return HEAD + METRIC.format(name, more)


FAULTY: dict[str, dict[str, str]] = {
    "good-plugin": {"code": metric("good"), "version": "1.2"},
    "bad-import": {"code": HEAD + "value = 1 / 0\n", "version": "2.5", "entry": "importer"},
    "bad-dependency": {"code": HEAD + "import no_such_library.part\n"},
    "bad-range": {"code": 'TUNELOOP_API = ">=2,<3"\nfrom tuneloop.api import SomethingNew\n'},
    "bad-hook": {"code": HEAD + "@hookimpl\ndef tuneloop_metrix():\n    return []\n"},
    "bad-arguments": {"code": HEAD + "@hookimpl\ndef tuneloop_promoted(evnt, other):\n    pass\n"},
    "bad-answer": {"code": HEAD + "@hookimpl\ndef tuneloop_metrics():\n    return [][1]\n", "version": "0.3"},
    "bad-options": {"code": metric("unchecked", "    class Options:\n        alpha = 1\n")},
    "bad-observer": {
        "code": HEAD + "@hookimpl\ndef tuneloop_promoted(event):\n    raise ConnectionError('no route')\n",
        "version": "4.1",
        "entry": "observer",
    },
    "twin-one": {"code": metric("one"), "entry": "twins"},
    "twin-two": {"code": metric("two"), "entry": "twins", "version": "3.0"},
    "same-one": {"code": metric("same")},
    "same-two": {"code": metric("same"), "version": "3.0"},
    "blocked-plugin": {"code": "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"},
}
WAIT = "import threading\nthreading.Event().wait({0})\n"
HOSTILE: dict[str, dict[str, str]] = {
    "good-plugin": {"code": metric("good")},
    "slow-plugin": {"code": WAIT.format(1.1) + metric("slow"), "version": "1.1"},
    "hanging-plugin": {"code": HEAD + WAIT.format("")},
    # As code in C does that never looks at signals.
    "deaf-plugin": {
        "code": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n" + WAIT.format("")
    },
    "leaving-plugin": {"code": "import os\nos._exit(7)\n"},
    "crashing-plugin": {"code": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"},
}
LIMIT = {"TUNELOOP_PLUGINS_TIMEOUT": "2"}

SAID = {
    "bad-import": ("failed", "ZeroDivisionError: division by zero", "bad_import.py, line 5"),
    "bad-dependency": ("failed", "needs the Python module 'no_such_library'", "pip install no_such_library"),
    "bad-range": ("incompatible", "written for plugin API >=2,<3", "this Tuneloop has 1.0"),
    "bad-hook": ("failed", "there is no hook 'tuneloop_metrix'. Did you mean 'tuneloop_metrics'?"),
    "bad-arguments": ("failed", "tuneloop_promoted takes 'evnt', 'other', but this hook gives 'event'"),
    "bad-answer": ("failed", "its hook tuneloop_metrics raised IndexError", "bad_answer.py, line 7"),
    "bad-options": ("failed", "A: its Options is A.Options; make it a subclass of pydantic.BaseModel"),
    "twin-one": ("conflict", "entry-point name 'twins' is used by twin-one 1.0 and twin-two 3.0"),
    "twin-two": ("conflict", "entry-point name 'twins' is used by twin-one 1.0 and twin-two 3.0"),
    "same-one": ("conflict", "metric 'same' is brought by", "of same-one 1.0", "of same-two 3.0"),
    "same-two": ("conflict", "metric 'same' is brought by", "of same-one 1.0", "of same-two 3.0"),
    "blocked-plugin": ("blocked", "you blocked it: `tuneloop plugins unblock blocked-plugin` allows it again"),
}


@pytest.fixture(scope="session")
def faulty(new_environment: Callable[[], Any]) -> Any:
    """All faults in one environment."""
    made = new_environment()
    made.add_all(FAULTY)
    assert made.cli("plugins", "block", "blocked-plugin").returncode == 0
    return made


@pytest.fixture(scope="session")
def records(faulty: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = faulty.records()
    return found


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_a_fault(records: dict[str, dict[str, Any]], faulty: Any, name: str) -> None:
    record = records[name]
    status, *said = SAID[name]
    assert record["status"] == status
    for text in said:
        assert text in record["reason"], record["reason"]
    assert (record["distribution"], record["version"]) == (name, FAULTY[name].get("version", "1.0"))
    assert record["name"] == FAULTY[name].get("entry", name)
    assert record["origin"] == "wheel"
    assert record["source"] == str(faulty.module(name))


def test_the_rest_loads(records: dict[str, dict[str, Any]], faulty: Any) -> None:
    good = records["good-plugin"]
    assert (good["status"], good["classes"], good["reason"]) == ("loaded", [["metric", "good"]], "")
    assert good["hooks"] == ["tuneloop_metrics"]
    assert {name for name, record in records.items() if record["status"] == "loaded"} == {"good-plugin", "bad-observer"}
    for line in (("--help",), ("schema",), ("plugins", "list")):
        done = faulty.cli(*line)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert '"good"' in faulty.cli("schema").stdout


def test_doctor_names_every_fault(faulty: Any) -> None:
    done = faulty.cli("plugins", "doctor")
    assert done.returncode == 1
    assert "11 plugins have problems" in done.stdout
    for name, (status, *said) in SAID.items():
        label = f"plugin {FAULTY[name].get('entry', name)!r} of {name} {FAULTY[name].get('version', '1.0')}"
        assert f"{status}  {label}" in done.stdout, done.stdout
        assert said[0] in done.stdout
    assert "Traceback" not in done.stdout
    assert not faulty.module("blocked-plugin").with_suffix(".imported").exists()


@pytest.mark.parametrize("name", ["good-plugin", "blocked-plugin", "bad-range", "twin-one", "bad-import"])
def test_show_and_its_json_tell_each_status(faulty: Any, records: dict[str, dict[str, Any]], name: str) -> None:
    record = records[name]
    shown = faulty.cli("plugins", "show", name).stdout
    told = [record["status"], f"{name} {record['version']}", str(faulty.module(name)), f"{record['origin']} "]
    for text in (*told, record["reason"], *record["hooks"], *(each for _, each in record["classes"])):
        assert text in shown, shown
    (again,) = json.loads(faulty.cli("plugins", "show", name, "--json").stdout)
    assert {**again, "import_seconds": 0} == {**record, "import_seconds": 0}


def test_a_name_with_two_answers_is_an_error_that_names_both(faulty: Any) -> None:
    done = faulty.cli("plugins", "show", "same")
    assert done.returncode == 2
    assert "metric 'same' is brought by plugin 'same-one' of same-one 1.0 and plugin 'same-two'" in done.stderr


def test_a_hook_that_raises_is_named_and_breaks_nothing(faulty: Any) -> None:
    done = faulty.python(
        """
        import logging
        logging.basicConfig()
        from tuneloop.api import PromotionEvent
        from tuneloop.plugins import default_manager
        default_manager().notify("tuneloop_promoted", PromotionEvent("desk", "2", "1", "ada", "better"))
        print("went on")
        """
    )
    assert done.stdout == "went on\n"
    assert "plugin 'observer' of bad-observer 4.1: tuneloop_promoted raised ConnectionError: no route" in done.stderr


def test_plugins_that_hang_or_end_the_process(environment: Any) -> None:
    environment.add_all(HOSTILE)
    records = environment.records(**LIMIT)
    reasons = {name: record["reason"] for name, record in records.items()}
    busy = f"did not end within 2 s; it was busy in {environment.module('hanging-plugin')}, line 6: "
    assert busy in reasons["hanging-plugin"]
    assert "`tuneloop plugins block hanging-plugin` leaves it out" in reasons["hanging-plugin"]
    assert "did not end within 2 s" in reasons["deaf-plugin"]
    assert "ended the process with exit code 7, so no command could go on" in reasons["leaving-plugin"]
    assert "ended the process by signal SIGKILL" in reasons["crashing-plugin"]
    assert {name for name, record in records.items() if record["status"] == "loaded"} == {"good-plugin", "slow-plugin"}


def test_a_plugin_that_hangs_holds_up_no_command(environment: Any) -> None:
    environment.add_all({name: HOSTILE[name] for name in ("good-plugin", "hanging-plugin", "slow-plugin")})
    assert environment.cli("--help").returncode == 0
    assert '"good"' in environment.cli("schema", **LIMIT).stdout
    assert "metric good" in environment.cli("plugins", "show", "good", **LIMIT).stdout
    done = environment.cli("plugins", "doctor", "--traceback", **LIMIT)
    assert done.returncode == 1
    assert "1 plugin has a problem." in done.stdout
    assert re.search(r"slow-plugin 1.1 +1,\d{3} ms slow", done.stdout), done.stdout
    assert 'hanging_plugin.py", line 6, in <module>' in done.stdout
    assert environment.cli("schema", TUNELOOP_PLUGINS_TIMEOUT="soon").stderr.startswith(
        "error: TUNELOOP_PLUGINS_TIMEOUT='soon': give the seconds"
    )
