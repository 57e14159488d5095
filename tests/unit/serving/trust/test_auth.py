from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.artifact import Artifact
from tuneloop.serving.doors.openapi import make_document
from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.doors.schemas import make_schemas
from tuneloop.serving.trust.auth import Guard, role_of, secure_document
from tuneloop.serving.trust.tokens import ROLES, Role
from tuneloop.serving.versions.examples import read_examples
from tuneloop.tasks.tabular_classification import TabularClassification

TOKENS: dict[Role, str] = {role: f"{role}-0123456789abcdef" for role in ROLES}
PATHS = {
    "/livez": None,
    "/healthz": None,
    "/readyz": None,
    "/v2/health/live": None,
    "/v2/health/ready": None,
    "/predict": "predict",
    "/v2": "predict",
    "/v2/models/desk": "predict",
    "/v2/models/desk/ready": "predict",
    "/v2/models/desk/infer": "predict",
    "/v1/completions": "predict",
    "/feedback": "feedback",
    "/metrics": "admin",
    "/": "admin",
    "/docs.json": "admin",
    "/schema.json": "admin",
    "/static_content/index.css": "admin",
    # What is not known is closed, and so is what only looks like an open path.
    "/nothing": "predict",
    "/livez/": "predict",
    "/v2/health/live/x": "predict",
    "//metrics": "predict",
    "": "predict",
}


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"a"), (b"authorization", f"Bearer {token}".encode())]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, Path]:
    folder = tmp_path_factory.mktemp("tokens")
    found: dict[Role, Path] = {}
    for role, token in TOKENS.items():
        found[role] = folder / role
        found[role].write_text(token + "\n")
        found[role].chmod(0o600)
    return found


@pytest.mark.parametrize(("path", "role"), PATHS.items())
def test_every_path_opens_for_its_role_alone(files: dict[Role, Path], path: str, role: Role | None) -> None:
    guard = Guard(files)
    assert role_of(path) == role
    if role is None:
        guard.check(path, [])
        return
    with pytest.raises(Problem) as caught:
        guard.check(path, [])
    assert (caught.value.status, caught.value.headers) == (401, {"WWW-Authenticate": 'Bearer realm="tuneloop"'})
    for held, token in TOKENS.items():
        if held == role:
            guard.check(path, bearer(token))
            continue
        with pytest.raises(Problem) as caught:
            guard.check(path, bearer(token))
        assert caught.value.status == 403
        assert f'error="insufficient_scope", scope="{role}"' in caught.value.headers["WWW-Authenticate"]
        assert held in caught.value.detail


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YTpi", TOKENS["predict"], "Bearer wrong-0123456789", "Bearer  \xff"]
)
def test_anything_but_a_known_token_is_unauthorized(files: dict[Role, Path], value: str) -> None:
    with pytest.raises(Problem) as caught:
        Guard(files).check("/predict", [(b"authorization", value.encode("latin-1"))])
    assert caught.value.status == 401
    assert "wrong" not in caught.value.detail


def test_two_headers_are_none(files: dict[Role, Path]) -> None:
    with pytest.raises(Problem, match="bring a token"):
        Guard(files).check("/predict", bearer(TOKENS["predict"]) + bearer(TOKENS["predict"]))


def test_the_scheme_has_no_case(files: dict[Role, Path]) -> None:
    Guard(files).check("/predict", [(b"authorization", f"bEARER {TOKENS['predict']}".encode())])


def test_a_role_without_a_file_is_closed_once_another_has_one(files: dict[Role, Path]) -> None:
    guard = Guard({"predict": files["predict"]})
    guard.check("/predict", bearer(TOKENS["predict"]))
    guard.check("/livez", [])
    for path in ("/feedback", "/metrics", "/"):
        with pytest.raises(Problem) as caught:
            guard.check(path, [])
        assert caught.value.status == 401
        with pytest.raises(Problem, match="this server has no tokens for it") as caught:
            guard.check(path, bearer(TOKENS["predict"]))
        assert caught.value.status == 403


def test_one_token_in_two_files_opens_both(files: dict[Role, Path]) -> None:
    guard = Guard({"predict": files["predict"], "feedback": files["predict"]})
    guard.check("/predict", bearer(TOKENS["predict"]))
    guard.check("/feedback", bearer(TOKENS["predict"]))


@given(value=st.binary(max_size=80), path=st.sampled_from([path for path, role in PATHS.items() if role]))
def test_no_header_opens_by_chance(files: dict[Role, Path], value: bytes, path: str) -> None:
    with pytest.raises(Problem) as caught:
        Guard(files).check(path, [(b"authorization", value)])
    assert caught.value.kind == "unauthorized"


def test_the_openapi_page_says_which_token(artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts(1)
    manifest = artifact.manifest
    task = TabularClassification.from_state(manifest.task.state)
    rows, answers = read_examples(artifact.folder)
    schemas = make_schemas(manifest.signature.columns, task, rows, answers, manifest.model, "1")
    document = make_document(manifest.model, "1", schemas)
    assert "securitySchemes" not in document["components"]
    secure_document(document)
    assert document["components"]["securitySchemes"].keys() == set(ROLES)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            role = role_of(path)
            assert operation.get("security") == (None if role is None else [{role: []}])
            assert ({"401", "403"} <= operation["responses"].keys()) == (role is not None)
