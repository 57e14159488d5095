from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.unit.loop.conftest import make_artifact

from tuneloop.loop.deciding.decisions import Incoming
from tuneloop.loop.deciding.policy import Reason, Verdict
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.loop.web.routes import page_mount
from tuneloop.loop.web.site import Site, opened_site
from tuneloop.pipeline import publish
from tuneloop.registry import Entry, Registry

TOKEN = "a-token-of-some-length"
ADDRESS = "http://127.0.0.1:4100"


@dataclass
class Browser:
    """A client as a browser is: it keeps cookies, and sends forms from the page they are on."""

    client: TestClient
    desk: Any
    site: Site

    def sign_in(self, who: str = "mia") -> Browser:
        response = self.post("/login", who=who, token=TOKEN)
        assert response.status_code == 303, response.text
        assert response.headers["location"] == "/page/"
        return self

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/page{path}", headers=headers)

    def post(self, path: str, /, **fields: str) -> Any:
        headers = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}
        return self.client.post(f"/page{path}", data=fields, headers=headers)

    def fields(self, path: str) -> dict[str, str]:
        """The hidden fields of the form on a page."""
        form = self.get(path).text.partition("<main")[2]
        return {
            unescape(name): unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
        }

    def press(self, path: str, why: str = "because", **changed: str) -> Any:
        """Open the page of a button, give a reason, and press it."""
        return self.post(path.partition("?")[0], **{**self.fields(path), "why": why, **changed})


@pytest.fixture
def desk(make_desk: Callable[..., Any]) -> Any:
    return make_desk()


@pytest.fixture
def site(desk: Any) -> Iterator[Site]:
    with opened_site(desk.brain, TOKEN, clock=desk.clock) as site:
        yield site


@pytest.fixture
def anybody(desk: Any, site: Site) -> Iterator[Browser]:
    app = create_app(Receiver(desk.brain, TOKEN, lambda: True), page_mount(site, ["loop.example"]))
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
        yield Browser(client, desk, site)


@pytest.fixture
def browser(anybody: Browser) -> Browser:
    return anybody.sign_in()


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with a registry: MLflow takes seconds for a new one, so it is made once and copied."""
    root = tmp_path_factory.mktemp("registered")
    state = root / ".tuneloop"
    project = SimpleNamespace(name="desk", state=state, storage=None)
    registry = Registry(project)
    for number in (1, 2, 3):
        artifact = make_artifact(root / f"artifact{number}", str(number).encode())
        registry.register(
            Entry(run=f"run-{number}", artifact=artifact, passed=True, metrics={"test/accuracy": 0.9 + number / 100})
        )
    registry.promote("1", "root", "first")
    registry.promote("2", "loop", "age has drifted")
    publish(project, registry)  # type: ignore[arg-type]
    return state


@pytest.fixture
def versions(desk: Any, registered: Path) -> Registry:
    """Versions 1 to 3; 2 is champion, 1 previous, 3 challenger."""
    project = desk.brain.project
    shutil.copytree(registered, project.state, dirs_exist_ok=True)
    return Registry(project)


@pytest.fixture
def decide(desk: Any) -> Callable[..., Any]:
    """Record an alert with its decision."""

    def record(number: int, outcome: Any = "suppressed", **texts: str) -> Any:
        reason = {"accepted": Reason.ACCEPTED, "suppressed": Reason.FEW_LABELS, "ignored": Reason.RESOLVED}[outcome]
        incoming = Incoming(
            alert="TuneloopSignalDrift",
            model="desk",
            version="2",
            signal=texts.get("signal", "column:age"),
            fingerprint=f"f{number}",
            started=f"s{number}",
            summary=texts.get("summary", "age has drifted"),
            firing=True,
        )
        verdict = Verdict(outcome, reason, texts.get("sentence", f"sentence {number}"))
        return desk.decisions.take(incoming, lambda *_: verdict)

    return record
