"""The loop's page in Chromium, over a real `tuneloop loop` of a project that was really run, and that retrains."""

from __future__ import annotations

import contextlib
import csv
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tuneloop.artifact import Artifact, seal
from tuneloop.config import Project, load_project
from tuneloop.loop.deciding.decisions import Decisions, Incoming
from tuneloop.loop.deciding.policy import Reason, Verdict
from tuneloop.loop.records import Database, database_url
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.pipeline import run_pipeline
from tuneloop.plugins import default_manager
from tuneloop.registry import Entry, Registry
from tuneloop.serving.server import default_store_url
from tuneloop.serving.versions.channel import read_channel

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH"),
]

HOSTILE = """<img src=x onerror=alert(1)><script>alert(2)</script> "'&"""
LONG = "a_column_with_a_name_that_never_seems_to_end_" * 4
SECONDS = 300.0
"""Patience on a slow machine; a retraining takes about 20."""
YAML = """\
name: incomes
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income}}
model: {base: tabular-mlp, hidden: [16]}
tune: {strategy: full, epochs: 10, learning_rate: 1.0e-2}
gate: {require: {accuracy: 0.5}, champion: {metric: accuracy, margin: 0.4}}
export: {format: onnx}
monitor: {window: 1h, links: {mlflow: "http://127.0.0.1:5000"}}
retrain: {on: [accuracy], min_labels: 50, cooldown: 1s, daily_budget: 9, schedule: "0 3 * * 0"}
rollout: {approval: true, watch: null}
"""

CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = numbers(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, box = e.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || box.width < 2 || e.closest('.unseen, .skip, svg')) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
"""Texts whose contrast is below WCAG 2's AA."""


def make_row(generator: random.Random) -> dict[str, Any]:
    return {
        "age": generator.randint(18, 70),
        "hours": generator.randint(10, 60),
        "job": generator.choice(["clerk", "smith", "nurse"]),
    }


def income(row: dict[str, Any]) -> str:
    return "high" if row["age"] + row["hours"] > 80 else "low"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A champion that was really trained and a second version; traffic with labels, and decisions."""
    folder, generator = tmp_path_factory.mktemp("incomes"), random.Random(3)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL", "TUNELOOP_STORE_URL"):
            patch.delenv(name, raising=False)
        with (folder / "people.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["age", "hours", "job", "income"])
            writer.writeheader()
            for row in (make_row(generator) for _ in range(600)):
                writer.writerow({**row, "income": income(row)})
        (folder / "tuneloop.yaml").write_text(YAML)
        project = load_project(folder, default_manager())
        result = run_pipeline(project, default_manager())
        assert result.state == "passed"
        copy = shutil.copytree(result.artifact, folder / "second")
        (copy / "card.md").write_text("# The second version")
        artifact = seal(copy, Artifact.open(result.artifact).manifest)
        Registry(project).register(Entry(run="by-hand", artifact=artifact, passed=True))
        fill(project, generator)
        yield project


def fill(project: Project, generator: random.Random) -> None:
    """What a server and Alertmanager would have left behind in a day."""
    now = time.time()
    store = PredictionStore(default_store_url(project.state))
    rows = [(f"p{number}", now - generator.uniform(0, 20) * 3600, make_row(generator)) for number in range(800)]
    store.add_predictions(
        [
            Prediction(id_, "incomes", "1", moment, row, {"label": income(row), "confidence": 0.9})
            for id_, moment, row in rows
        ]
    )
    store.add_labels([(id_, income(row)) for id_, _, row in rows])
    store.close()
    database = Database(database_url(project.state), project.name)
    decisions = Decisions(database, time.time)
    for number in range(120):
        text = HOSTILE if number % 50 == 7 else LONG if number % 50 == 8 else "Answers got worse."
        incoming = Incoming(
            "TuneloopAccuracyLow", "incomes", "1", text[:190], f"f{number}", f"s{number}", text, firing=False
        )
        reason = Reason.COOLDOWN if number % 3 else Reason.RESOLVED
        outcome = "suppressed" if number % 3 else "ignored"
        decisions.take(incoming, lambda *_, r=reason, o=outcome: Verdict(o, r, "It is too early."))
    database.close()


@pytest.fixture(scope="module")
def loop(project: Project) -> Iterator[str]:
    """The address of the project's loop."""
    command = [sys.executable, "-m", "tuneloop.cli.main", "loop", "--project", str(project.root), "--port", "0"]
    with (project.root / "loop.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    address = project.state / "loop.address"
    try:
        wait_for(lambda: address.exists() and ready(address.read_text().strip()), "the loop to listen")
        yield address.read_text().strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not address.exists()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "Traceback" not in (project.root / "loop.log").read_text()


def ready(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
    return False


def wait_for(condition: Any, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {SECONDS:.0f} s for {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def chromium(loop: str) -> Iterator[Browser]:
    """A browser. Its event loop runs in this thread, which DBOS does not like: the project is run before."""
    del loop
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Person:
    """Somebody with a browser: whatever their pages complain about is kept."""

    context: BrowserContext
    address: str
    project: Project
    page: Page
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        response = self.page.goto(f"{self.address}/page{path}")
        assert response is not None
        assert response.status == 200, path
        return self.page

    def text(self) -> str:
        return self.page.inner_text("main")

    def press(self, button: str, why: str, confirm: str | None = None) -> None:
        """Follow a button to its page, give a reason, and confirm."""
        self.page.get_by_role("link", name=button, exact=True).first.click()
        if self.page.locator("textarea").count():
            self.page.fill("textarea", why)
        self.page.get_by_role("button", name=confirm or button, exact=True).click()
        self.page.wait_for_url("**/page/?done=*")

    def champion(self) -> str:
        return read_channel(str(self.project.state / "channel.json")).champion.version


def open_page(chromium: Browser, loop: str, project: Project, **options: Any) -> Person:
    context = chromium.new_context(**options)
    person = Person(context, loop, project, context.new_page())
    person.page.on("console", lambda message: person.complaints.append(f"{message.type}: {message.text}"))
    person.page.on("pageerror", lambda error: person.complaints.append(str(error)))
    return person


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, loop: str, project: Project) -> Any:
    """The cookies of somebody who followed the link that `tuneloop loop page` prints."""
    command = [sys.executable, "-m", "tuneloop.cli.main", "loop", "page", "--project", str(project.root)]
    link = subprocess.run([*command, "--who", "mia"], check=True, capture_output=True, text=True).stdout.strip()
    assert link.startswith(f"{loop}/page/login?code=")
    person = open_page(chromium, loop, project)
    person.page.goto(link)
    person.page.get_by_role("button", name="Sign in").click()
    person.page.wait_for_url("**/page/")
    assert "mia" in person.page.inner_text("header")
    person.page.goto(link)
    person.page.get_by_role("button", name="Sign in").click()
    assert "was used before" in person.text()
    state = person.context.storage_state()
    (cookie,) = state["cookies"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/page")
    person.context.close()
    return state


@pytest.fixture
def person(chromium: Browser, loop: str, project: Project, signed_in: Any) -> Iterator[Person]:
    person = open_page(chromium, loop, project, storage_state=signed_in)
    yield person
    person.context.close()
    assert person.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_page_is_legible(
    chromium: Browser, loop: str, project: Project, signed_in: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    view = {"width": width, "height": 900}
    person = open_page(chromium, loop, project, storage_state=signed_in, viewport=view, color_scheme=scheme)
    run = project.state / "runs"
    (first, *_) = sorted(path.name for path in run.iterdir() if path.is_dir())
    paths = ["/", "/?span=1h", "/runs", f"/runs/{first}", "/decisions", "/decisions?page=3", "/do/rollback", "/login"]
    for number, path in enumerate(paths):
        page = person.go(path)
        page.screenshot(path=tmp_path / f"{number}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(CONTRAST) == [], path
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.images.length + document.scripts.length") == 0
    # Drawings are named, their figures stand in tables, and only the one that fits is shown.
    page = person.go("/?span=24h")
    shown = page.locator(".drawing:visible svg")
    assert shown.count() == 3
    assert all(shown.nth(n).locator("> title").text_content() for n in range(3))
    page.locator("summary", has_text="The figures as a table").first.click()
    assert page.locator("details[open] tr").count() > 5
    assert person.complaints == []
    person.context.close()


def test_what_the_project_did_is_told(person: Person) -> None:
    person.go("/")
    text = person.text()
    for part in ("Idle", "Next scheduled run", "the first version that passed the gate", "version 1", "All versions"):
        assert part in text
    assert HOSTILE in text or HOSTILE in person.go("/decisions").inner_text("main")
    person.go("/runs")
    person.page.locator("a.id").last.click()
    text = person.text()
    for part in ("accuracy on the golden holdout", "tune", "export", "register", "Steps"):
        assert part in text
    assert person.page.get_by_role("link", name="MLflow").get_attribute("href", timeout=5000) is not None
    with person.context.expect_page() as opened:
        person.page.get_by_role("link", name="Report").click()
    report = opened.value
    report.wait_for_load_state()
    assert "Gate" in report.inner_text("main")
    assert report.evaluate("window.origin") == "null"
    report.close()


def test_decisions_are_filtered_and_paged(person: Person) -> None:
    page = person.go("/decisions")
    assert page.locator("tbody tr").count() == 50
    page.get_by_role("link", name=re.compile("^ignored")).click()
    assert page.locator("tbody tr").count() == 40
    page.get_by_role("link", name=re.compile("^all")).click()
    for _ in range(2):
        page.get_by_role("link", name="Older").click()
    assert page.locator("tbody tr").count() == 20
    assert page.get_by_role("link", name="Older").count() == 0


def test_pause_promote_roll_back_and_resume(person: Person) -> None:
    person.go("/")
    person.press("Pause", "a move of the office")
    assert "Paused by mia: a move of the office" in person.text()
    before = person.champion()
    person.press("Promote", "it looks better", confirm="Promote version 2")
    assert person.champion() == "2" != before
    assert "it looks better" in person.text()
    person.press("Roll back", "it is not", confirm="Roll back to version 1")
    assert person.champion() == before
    person.press("Resume", "")
    assert "Idle" in person.text()
    moves = Registry(person.project).history()
    assert [(move.kind, move.who, move.why) for move in moves[-2:]] == [
        ("promote", "mia", "it looks better"),
        ("rollback", "mia", "it is not"),
    ]


def test_a_run_asked_for_here_waits_for_its_word_and_is_promoted(person: Person) -> None:
    person.go("/")
    person.press("Retrain now", "the labels are in")
    wait_for(lambda: "Waiting for approval" in person.go("/").inner_text("main"), "the run to pass the gate")
    person.page.get_by_role("link", name="Roll back", exact=True).click()
    assert "This cannot be done now" in person.text()
    assert person.page.locator("textarea").count() == 0
    person.go("/")
    person.press("Approve", "figures are fine")
    wait_for(lambda: person.champion() not in ("1", "2"), "the new version to be champion")
    wait_for(lambda: "Idle" in person.go("/").inner_text("main"), "the run to end")
    text = person.text()
    assert "asked for by mia: the labels are in" in text
    person.go("/runs").locator("a.id").first.click()
    text = person.text()
    for part in ("promoted", "approval", "figures are fine"):
        assert part in text


def test_signing_out_ends_it_and_the_token_signs_in(chromium: Browser, loop: str, project: Project) -> None:
    person = open_page(chromium, loop, project)
    page = person.go("/decisions")
    assert page.url == f"{loop}/page/login"
    page.fill("#who", "jo")
    page.fill("#token", (project.state / "loop.token").read_text().strip())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/page/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/page/login")
    assert person.go("/").url == f"{loop}/page/login"
    assert person.context.cookies() == []
    assert person.complaints == []
    person.context.close()


def test_another_site_cannot_press_a_button(person: Person, tmp_path: Path) -> None:
    person.go("/do/pause")
    form = person.page.get_attribute("input[name=form]", "value")
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<form method="post" action="{person.address}/page/do/pause"><input name="why" value="evil">'
        f'<input name="form" value="{form}"><button>go</button></form>'
    )
    tab = person.context.new_page()
    tab.goto(evil.as_uri())
    with tab.expect_navigation() as answered:
        tab.click("button")
    assert answered.value.status == 403
    tab.close()
    assert "Idle" in person.go("/").inner_text("main")


def test_behind_a_proxy_that_ends_tls_the_cookie_is_secure(loop: str, project: Project) -> None:
    fields = {"who": "jo", "token": (project.state / "loop.token").read_text().strip()}
    for scheme in ("http", "https"):
        headers = {"X-Forwarded-Proto": scheme, "Origin": f"{scheme}://{loop.partition('://')[2]}"}
        response = httpx.post(f"{loop}/page/login", data=fields, headers=headers, trust_env=False)
        assert response.status_code == 303
        assert ("Secure" in response.headers["set-cookie"]) is (scheme == "https")


def test_the_page_cannot_be_framed_or_read_under_another_name(loop: str) -> None:
    port = loop.rpartition(":")[2]
    response = httpx.get(f"{loop}/page/login", headers={"Host": f"evil.example:{port}"}, trust_env=False)
    assert response.status_code == 421
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
