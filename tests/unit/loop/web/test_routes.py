from __future__ import annotations

import re
import threading
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tuneloop.loop.web.attempts import MOST_FAILURES
from tuneloop.loop.web.session import SESSION_SECONDS, Keys

TOKEN = "a-token-of-some-length"
HOSTILE = """</td><script>alert(1)</script>'"&lt;{{ 7 * 7 }}"""
READING = ("/", "/runs", "/runs/x", "/runs/x/report", "/decisions", "/do/pause", "/do/promote?version=1", "/nothing")
BUTTONS = ("retrain", "pause", "resume", "approve", "decline", "promote", "rollback")


@pytest.mark.parametrize("path", READING)
def test_whoever_is_not_signed_in_sees_nothing(anybody: Any, path: str) -> None:
    response = anybody.get(path)
    assert (response.status_code, response.headers["location"]) == (303, "/page/login")
    anybody.client.cookies.set(anybody.site.keys.cookie, "e30.00", path="/page")
    assert anybody.get(path).status_code == 303
    anybody.client.cookies.set(anybody.site.keys.cookie, Keys("another-token-x").open("mia")[0], path="/page")
    assert anybody.get(path).status_code == 303


@pytest.mark.parametrize("name", [*BUTTONS, "other"])
def test_whoever_is_not_signed_in_changes_nothing(anybody: Any, name: str) -> None:
    response = anybody.post(f"/do/{name}", why="x", form="x", run="x", version="1")
    assert (response.status_code, response.headers["location"]) == (303, "/page/login")


def test_the_root_leads_to_the_page_and_machines_keep_their_paths(anybody: Any) -> None:
    response = anybody.client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/page/")
    assert anybody.client.get("/status").json()["model"] == "desk"
    assert anybody.client.get("/elsewhere").json()["status"] == 404


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_never_see(anybody: Any) -> None:
    response = anybody.post("/login", who="Mia", token=TOKEN)
    cookie = response.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/page", f"Max-Age={SESSION_SECONDS:.0f}"):
        assert part in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    page = anybody.get("/")
    assert page.status_code == 200
    assert "Mia" in page.text
    assert TOKEN not in page.text


def test_by_https_the_cookie_is_secure(anybody: Any) -> None:
    anybody.client.base_url = "https://127.0.0.1:4100"
    response = anybody.client.post("/page/login", data={"who": "Mia", "token": TOKEN})
    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "mistaken", TOKEN[:-1], TOKEN + "x", "é", "\x00"])
def test_a_wrong_token_signs_nobody_in(anybody: Any, token: str, caplog: pytest.LogCaptureFixture) -> None:
    response = anybody.post("/login", who="mia", token=token)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert not token or token not in caplog.text
    assert not token or f'value="{token}"' not in response.text


def test_a_name_is_asked_for(anybody: Any) -> None:
    assert anybody.post("/login", who=" \t", token=TOKEN).status_code == 422


def test_many_wrong_tokens_lock_the_right_one_out_and_a_code_still_works(anybody: Any) -> None:
    for _ in range(MOST_FAILURES):
        assert anybody.post("/login", who="mia", token="wrong").status_code == 401
    response = anybody.post("/login", who="mia", token=TOKEN)
    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert anybody.post("/login", code=anybody.site.keys.code("mia")).status_code == 303


def test_a_link_signs_in_once_and_looking_at_it_does_not_use_it_up(anybody: Any) -> None:
    code = anybody.site.keys.code("Mia <b>")
    for _ in range(2):
        page = anybody.get(f"/login?code={code}")
        assert "Mia &lt;b&gt;" in page.text
        assert "set-cookie" not in page.headers
    response = anybody.post("/login", **anybody.fields(f"/login?code={code}"))
    assert (response.status_code, response.headers["location"]) == (303, "/page/")
    assert anybody.get("/").status_code == 200
    again = anybody.post("/login", code=code)
    assert again.status_code == 401
    assert "used before" in again.text


def test_another_sites_form_does_not_sign_in(anybody: Any) -> None:
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    response = anybody.client.post("/page/login", data={"who": "mia", "token": TOKEN}, headers=headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


def test_signing_out_takes_the_cookie_back(browser: Any) -> None:
    assert browser.post("/logout").headers["location"] == "/page/login"
    assert browser.get("/").status_code == 200
    form = browser.site.keys.form(browser.site.keys.session(browser.client.cookies[browser.site.keys.cookie]))
    assert "Max-Age=0" in browser.post("/logout", form=form).headers["set-cookie"]
    assert browser.get("/").status_code == 303


def test_a_session_ends_by_itself(browser: Any) -> None:
    browser.desk.clock.now += SESSION_SECONDS
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("name", BUTTONS)
@pytest.mark.parametrize("form", [None, "", "0" * 64, "é"])
def test_a_form_without_its_token_does_nothing(browser: Any, name: str, form: str | None) -> None:
    fields = {"why": "x", "run": "r", "version": "1", "champion": ""} | ({} if form is None else {"form": form})
    assert browser.post(f"/do/{name}", **fields).status_code == 403
    assert browser.site.brain.decisions.recent_alerts(5) == []


def test_a_form_of_another_session_does_nothing(browser: Any) -> None:
    _, other = browser.site.keys.open("eve")
    assert browser.post("/do/pause", why="x", form=browser.site.keys.form(other)).status_code == 403


def test_a_form_from_another_site_does_nothing_even_with_its_token(browser: Any) -> None:
    fields = {**browser.fields("/do/pause"), "why": "x"}
    headers = {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"}
    assert browser.client.post("/page/do/pause", data=fields, headers=headers).status_code == 403
    assert "Idle" in browser.get("/").text


@pytest.mark.parametrize("name", BUTTONS)
def test_looking_at_a_button_does_nothing_and_get_never_does(browser: Any, name: str) -> None:
    response = browser.get(f"/do/{name}?version=1&run=x&why=x&champion=")
    assert response.status_code in (200, 404)
    assert browser.site.brain.decisions.recent_alerts(5) == []
    assert browser.client.put(f"/page/do/{name}").status_code == 405


@pytest.mark.parametrize("body", [b"x" * 20_000, b"&".join([b"a=1"] * 30), b"\xff", b'{"why": "x"}'])
def test_bodies_that_are_no_small_form_are_refused(browser: Any, body: bytes) -> None:
    kind = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Origin": "http://127.0.0.1:4100"}
    assert browser.client.post("/page/do/pause", content=body, headers=headers).status_code == 403
    assert browser.client.post("/page/login", content=body, headers=headers).status_code in (401, 422)


@pytest.mark.parametrize("path", ["/", "/runs", "/decisions", "/do/pause", "/login", "/nothing"])
def test_no_page_holds_a_script_or_style_of_its_own(browser: Any, decide: Callable[..., Any], path: str) -> None:
    decide(1, signal=HOSTILE, summary=HOSTILE, sentence=HOSTILE)
    response = browser.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", response.text)


@pytest.mark.parametrize("path", ["/", "/decisions", "/decisions?outcome=suppressed"])
def test_hostile_texts_are_shown_as_texts(browser: Any, decide: Callable[..., Any], path: str) -> None:
    decide(1, signal=HOSTILE, summary=HOSTILE + "2", sentence=HOSTILE + "3")
    text = browser.get(path).text
    assert "<script>" not in text
    assert unescape(text).count(HOSTILE) >= 3


def test_hostile_queries_are_not_shown(browser: Any) -> None:
    for path in ("/?span={}&done={}", "/decisions?outcome={}&page={}", "/runs?page={}&x={}", "/do/promote?version={}"):
        response = browser.get(path.format(*["<script>x"] * path.count("{}")))
        assert response.status_code in (200, 404)
        assert "script" not in response.text
    assert browser.get("/runs/%3Cscript%3E").status_code == 404


def test_a_hostile_name_is_shown_as_text(anybody: Any) -> None:
    assert unescape(anybody.sign_in(HOSTILE).get("/").text).count(HOSTILE) == 2


def test_decisions_are_filtered_and_paged(browser: Any, decide: Callable[..., Any]) -> None:
    for number in range(60):
        browser.desk.clock.now += 1
        decide(number, "ignored" if number % 10 == 0 else "suppressed")
    first, second = browser.get("/decisions").text, browser.get("/decisions?page=2").text
    assert first.count("<tr>") == 51
    assert second.count("<tr>") == 11
    assert "sentence 59" in first
    assert "sentence 0 " in second
    ignored = browser.get("/decisions?outcome=ignored").text
    assert ignored.count("<tr>") == 7
    for page in ("0", "99", "-1", "x", "9" * 40):
        assert browser.get(f"/decisions?page={page}").status_code == 200
    assert "No alert was accepted so far." in browser.get("/decisions?outcome=accepted").text


def test_a_report_is_shown_in_a_sandbox(browser: Any) -> None:
    folder = browser.site.project.state / "runs" / "20260101-000000-ab12"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<h1>the report</h1>")
    response = browser.get("/runs/20260101-000000-ab12/report")
    assert (response.status_code, response.text) == (200, "<h1>the report</h1>")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("run", ["..", "%2e%2e", "..%2f..", ".lock", "a%2fb", "%00", "~", "linked"])
def test_no_other_file_is_shown_as_a_report(browser: Any, tmp_path: Path, run: str) -> None:
    state = browser.site.project.state
    (state / "runs" / "linked").mkdir(parents=True)
    for place in (state, state / "runs", tmp_path):
        (place / "report.html").write_text("secret")
    (state / "runs" / "linked" / "report.html").symlink_to(tmp_path / "report.html")
    response = browser.get(f"/runs/{run}/report")
    assert response.status_code == 404
    assert "secret" not in response.text


def test_a_fault_is_said_without_its_details(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.loop.web.views.list_rows", lambda _: 1 / 0)
    response = browser.get("/runs")
    assert response.status_code == 500
    assert "ZeroDivisionError" not in response.text
    assert "This went wrong" in response.text


def test_many_looks_at_once_are_all_answered(browser: Any, decide: Callable[..., Any]) -> None:
    for number in range(100):
        decide(number)
    statuses: list[int] = []

    def look() -> None:
        statuses.extend(browser.get(path).status_code for path in ("/", "/decisions", "/runs"))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 24
