from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ServingError
from tuneloop.serving.trust.signature import (
    MODEL_SUBJECT,
    PAYLOAD_TYPE,
    SIGNATURE,
    SignatureError,
    Signer,
    Verifier,
    hash_folder,
    read_envelope,
)

Keys = Callable[[], tuple[Path, Path]]
SHA = "a" * 64


def make(keys: Keys) -> tuple[Signer, Verifier]:
    private, public = keys()
    return Signer(private), Verifier(public)


def test_what_was_signed_is_verified(keys: Keys) -> None:
    signer, verifier = make(keys)
    envelope = signer.sign({MODEL_SUBJECT: SHA, "src/service.py": "b" * 64}, "desk", "3")
    assert verifier.files(envelope, "it", model="desk", version="3") == {MODEL_SUBJECT: SHA, "src/service.py": "b" * 64}
    verifier.check_model(envelope, SHA, model="desk", version="3")


def test_a_missing_signature_is_refused(keys: Keys) -> None:
    _, verifier = make(keys)
    with pytest.raises(SignatureError, match=r"version 3 of 'desk' is not signed"):
        verifier.check_model(None, SHA, model="desk", version="3")


def test_another_key_is_refused_until_it_is_known(keys: Keys, tmp_path: Path) -> None:
    (old, old_public), (new, new_public) = keys(), keys()
    envelope = Signer(new).sign({MODEL_SUBJECT: SHA}, "desk", "3")
    with pytest.raises(SignatureError, match="made by no key in"):
        Verifier(old_public).check_model(envelope, SHA, model="desk", version="3")
    both = tmp_path / "both.pem"
    both.write_bytes(old_public.read_bytes() + new_public.read_bytes())
    Verifier(both).check_model(envelope, SHA, model="desk", version="3")
    Verifier(both).check_model(Signer(old).sign({MODEL_SUBJECT: SHA}, "desk", "3"), SHA, model="desk", version="3")


@pytest.mark.parametrize(
    ("sha256", "model", "version", "said"),
    [
        ("c" * 64, "desk", "3", "is for the artifact aaaa"),
        (SHA, "another", "3", "is for version 3 of 'desk'"),
        (SHA, "desk", "4", "is for version 3 of 'desk'"),
    ],
)
def test_a_signature_is_for_one_version_of_one_model(
    keys: Keys, sha256: str, model: str, version: str, said: str
) -> None:
    signer, verifier = make(keys)
    envelope = signer.sign({MODEL_SUBJECT: SHA}, "desk", "3")
    with pytest.raises(SignatureError, match=said):
        verifier.check_model(envelope, sha256, model=model, version=version)


def test_a_changed_payload_is_refused(keys: Keys) -> None:
    signer, verifier = make(keys)
    envelope = json.loads(signer.sign({MODEL_SUBJECT: SHA}, "desk", "3"))
    payload = base64.b64decode(envelope["payload"]).replace(b"a" * 64, b"c" * 64)
    envelope["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(SignatureError, match="made by no key"):
        verifier.check_model(json.dumps(envelope).encode(), "c" * 64, model="desk", version="3")


def test_a_signature_over_another_kind_of_statement_is_refused(keys: Keys) -> None:
    signer, verifier = make(keys)
    real = json.loads(base64.b64decode(json.loads(signer.sign({}, "desk", "3"))["payload"]))
    for statement in ({**real, "predicateType": "https://slsa.dev/provenance/v1"}, {"a": 1}, []):
        payload = json.dumps(statement).encode()
        signed = signer._key.sign(
            b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
        )
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signed).decode()}],
        }
        with pytest.raises(SignatureError, match="over something else"):
            verifier.check_model(json.dumps(envelope).encode(), SHA, model="desk", version="3")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "payload": anything | st.just(base64.b64encode(b"{}").decode()),
        "payloadType": st.just(PAYLOAD_TYPE) | anything,
        "signatures": anything | st.lists(st.fixed_dictionaries({"sig": st.just("AAAA") | anything}), max_size=2),
    },
)


@given(
    content=st.binary(max_size=200)
    | envelopes.map(lambda value: json.dumps(value).encode())
    | anything.map(json.dumps).map(str.encode)
)
def test_no_garbage_is_a_signature(verifier: Verifier, content: bytes) -> None:
    with pytest.raises(SignatureError):
        verifier.check_model(content, SHA, model="desk", version="3")


@pytest.fixture(scope="module")
def verifier(session_keys: Keys) -> Verifier:
    return Verifier(session_keys()[1])


def test_openssl_agrees(keys: Keys, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    private, public = keys()
    envelope = json.loads(Signer(private).sign({MODEL_SUBJECT: SHA}, "desk", "3"))
    payload = base64.b64decode(envelope["payload"])
    (tmp_path / "signed").write_bytes(
        b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    )
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    checking = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    done = subprocess.run(
        [*checking, "-in", str(tmp_path / "signed"), "-sigfile", str(tmp_path / "signature")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", str(public), "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert envelope["signatures"][0]["keyid"] == hashlib.sha256(der).hexdigest()


@pytest.fixture
def bento(keys: Keys, tmp_path: Path) -> tuple[Path, Verifier]:
    folder = tmp_path / "bento"
    for name in ("src/service.py", "src/artifact/manifest.json", "env/docker/Dockerfile", "bento.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    signer, verifier = make(keys)
    (folder / SIGNATURE).write_bytes(signer.sign(hash_folder(folder, SIGNATURE), "desk", "3"))
    (folder / "src" / "__pycache__").mkdir()
    (folder / "src" / "__pycache__" / "service.pyc").write_bytes(b"")
    return folder, verifier


def test_a_bento_as_it_was_signed(bento: tuple[Path, Verifier]) -> None:
    folder, verifier = bento
    verifier.check_bento(folder, model="desk", version="3")


def change(folder: Path) -> None:
    (folder / "src" / "service.py").write_text("import os")


def add(folder: Path) -> None:
    (folder / "src" / "sitecustomize.py").write_text("import os")


def drop(folder: Path) -> None:
    (folder / "env" / "docker" / "Dockerfile").unlink()


def unsign(folder: Path) -> None:
    (folder / SIGNATURE).unlink()


def bloat(folder: Path) -> None:
    (folder / SIGNATURE).write_bytes(b" " * (2 << 20))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change, "'src/service.py' was changed"),
        (add, "'src/sitecustomize.py' was added"),
        (drop, "'env/docker/Dockerfile' is missing"),
        (unsign, "is not signed"),
        (bloat, "is not signed"),
    ],
)
def test_a_bento_that_was_tampered_with(bento: tuple[Path, Verifier], spoil: Callable[[Path], None], said: str) -> None:
    folder, verifier = bento
    spoil(folder)
    with pytest.raises(SignatureError, match=said):
        verifier.check_bento(folder, model="desk", version="3")


def test_an_envelope_that_is_not_there(tmp_path: Path) -> None:
    assert read_envelope(tmp_path / "absent") is None
    assert read_envelope(tmp_path) is None


def test_from_the_environment(keys: Keys) -> None:
    private, public = keys()
    assert Signer.from_environment({}) is None
    assert Verifier.from_environment({}) is None
    assert Signer.from_environment({"TUNELOOP_SIGN_KEY_FILE": str(private)}) is not None
    assert Verifier.from_environment({"TUNELOOP_VERIFY_KEY_FILE": str(public)}) is not None
    with pytest.raises(ServingError, match="absolute path"):
        Verifier.from_environment({"TUNELOOP_VERIFY_KEY_FILE": "verify.pem"})


def test_envelopes_have_the_form_of_dsse(keys: Keys) -> None:
    envelope: dict[str, Any] = json.loads(make(keys)[0].sign({MODEL_SUBJECT: SHA}, "desk", "3"))
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": MODEL_SUBJECT, "digest": {"sha256": SHA}}]
    assert statement["predicate"] == {"model": "desk", "version": "3"}
