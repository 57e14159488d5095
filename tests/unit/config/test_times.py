from __future__ import annotations

import pytest

from tuneloop.config.times import check_cron, check_zone

pytest.importorskip("croniter")


@pytest.mark.parametrize("text", ["0 3 * * 0", "*/15 8-18 * * mon-fri", "0 0 1,15 * *", "@daily", "0 0 * * 1#2"])
def test_what_cron_knows_is_a_time(text):
    assert check_cron(text) == text


def test_spaces_do_not_matter():
    assert check_cron("  0   3 * *  0 ") == "0 3 * * 0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "daily",
        "0 3 * *",
        "0 3 * * 8",
        "61 3 * * *",
        "* * * * * *",
        "r 3 * * *",
        "r(0-5) 3 * * *",
        "h 3 * * *",
        "@reboot",
        "0 0 30 2 *",
    ],
)
def test_what_comes_never_or_by_chance_is_refused(text):
    with pytest.raises(ValueError, match="five fields"):
        check_cron(text)


@pytest.mark.parametrize("name", ["UTC", "Europe/Rome", "America/Argentina/Ushuaia"])
def test_zones_are_known_by_name(name):
    assert check_zone(name) == name


@pytest.mark.parametrize("name", ["Rome", "../../etc/passwd", "", "UTC+25"])
def test_other_zones_are_refused(name):
    with pytest.raises(ValueError, match="Europe/Rome"):
        check_zone(name)
