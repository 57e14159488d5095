from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.web.session import CODE_SECONDS, LONGEST_NAME, SESSION_SECONDS, Keys, clean_name

TOKEN = "a-token-of-some-length"


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> Keys:
    return Keys(TOKEN, clock)


def test_a_session_is_read_back_until_it_is_over(keys: Keys, clock: Clock) -> None:
    cookie, session = keys.open("Mia Ö")
    assert keys.session(cookie) == session
    assert session.who == "Mia Ö"
    clock.now += SESSION_SECONDS - 1
    assert keys.session(cookie) == session
    clock.now += 1
    assert keys.session(cookie) is None


def test_a_new_token_ends_every_session_and_every_code(keys: Keys, clock: Clock) -> None:
    cookie, session = keys.open("mia")
    other = Keys(TOKEN + "x", clock)
    assert other.session(cookie) is None
    assert other.redeem(keys.code("mia")) is None
    assert not other.is_form(session, keys.form(session))
    assert other.cookie != keys.cookie


@given(st.floats(0, 1, exclude_max=True), st.characters(codec="utf-8"))
def test_a_changed_cookie_is_no_session(where: float, letter: str) -> None:
    keys = Keys(TOKEN)
    cookie, session = keys.open("mia")
    place = int(where * len(cookie))
    changed = cookie[:place] + letter + cookie[place + 1 :]
    assert keys.session(changed) == (session if changed == cookie else None)


@given(st.text())
def test_any_text_is_no_session_no_code_and_no_token(text: str) -> None:
    keys = Keys(TOKEN)
    assert keys.session(text) is None
    assert keys.redeem(text) is None
    assert keys.name_in(text) == ""
    assert keys.is_token(text) is (text == TOKEN)


def test_what_is_signed_for_one_purpose_passes_for_no_other(keys: Keys) -> None:
    cookie, _ = keys.open("mia")
    assert keys.redeem(cookie) is None
    assert keys.session(keys.code("mia")) is None


def test_a_code_is_good_once(keys: Keys) -> None:
    code = keys.code("mia")
    assert keys.name_in(code) == "mia"
    assert keys.redeem(code) == "mia"
    assert keys.redeem(code) is None
    assert keys.redeem(keys.code("mia")) == "mia"


def test_a_code_is_good_for_minutes(keys: Keys, clock: Clock) -> None:
    codes = [keys.code("mia"), keys.code("mia")]
    clock.now += CODE_SECONDS
    assert keys.redeem(codes[0]) == "mia"
    clock.now += 1
    assert keys.redeem(codes[1]) is None
    assert keys.redeem(codes[0]) is None


def test_a_code_from_before_a_restart_is_refused_as_it_may_have_been_used(keys: Keys, clock: Clock) -> None:
    code = keys.code("mia")
    assert keys.redeem(code) == "mia"
    clock.now += 1
    assert Keys(TOKEN, clock).redeem(code) is None


def test_forms_belong_to_one_session(keys: Keys) -> None:
    (_, one), (_, other) = keys.open("mia"), keys.open("mia")
    assert keys.is_form(one, keys.form(one))
    assert not keys.is_form(one, keys.form(other))
    assert not keys.is_form(one, "")
    assert not keys.is_form(one, "é")


@given(st.text())
def test_names_are_one_printable_line(text: str) -> None:
    name = clean_name(text)
    assert name.isprintable()
    assert len(name) <= LONGEST_NAME
    assert clean_name(name) == name
