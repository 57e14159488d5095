"""Signatures by a key that is kept off line: what was built is what is served.

A signature is an in-toto statement (https://in-toto.io/Statement/v1), which lists files by their SHA-256, in a DSSE
envelope (https://github.com/secure-systems-lab/dsse, protocol 1.0.2) signed with Ed25519. Make a pair of keys:

    (umask 077; openssl genpkey -algorithm ed25519 -out sign.pem)
    openssl pkey -in sign.pem -pubout -out verify.pem

The artifact's manifest stands in the list as `src/artifact/manifest.json`, and through it all files of the artifact;
so the signature of a Bento is also that of its version, wherever the channel finds it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import ServingError
from tuneloop.artifact import canonical_json, sha256_file
from tuneloop.serving.trust.keys import key_id, read_private_key, read_public_keys

SIGN_VARIABLE, VERIFY_VARIABLE = "TUNELOOP_SIGN_KEY_FILE", "TUNELOOP_VERIFY_KEY_FILE"
MODEL_SUBJECT = "src/artifact/manifest.json"
SIGNATURE = "src/signature.json"
"""The envelope in a Bento."""
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "urn:tuneloop:bento:1"
_MOST_BYTES = 1 << 20


class SignatureError(ServingError):
    """There is no signature, it is by no known key, or it is for something else."""


class Signer:
    """Signs with a private key.

    Args:
        path: An Ed25519 private key in PEM (PKCS 8) that its owner alone can read.

    Raises:
        ServingError: The key cannot be read, others may read it, or it is of another kind.
    """

    def __init__(self, path: Path) -> None:
        self._key = read_private_key(path)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Signer | None:
        """With the key that `TUNELOOP_SIGN_KEY_FILE` names; None where nothing is signed.

        Raises:
            ServingError: The key cannot be used.
        """
        value = environment.get(SIGN_VARIABLE)
        return cls(Path(value)) if value else None

    def sign(self, files: Mapping[str, str], model: str, version: str) -> bytes:
        """An envelope over files.

        Args:
            files: Path to SHA-256 in hexadecimal.
            model: The model's name.
            version: Its number.
        """
        statement = {
            "_type": _STATEMENT,
            "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
            "predicateType": _PREDICATE,
            "predicate": {"model": model, "version": version},
        }
        payload = canonical_json(statement)
        signature = {"keyid": key_id(self._key.public_key()), "sig": _encoded(self._key.sign(_pae(payload)))}
        envelope = {"payload": _encoded(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}
        return json.dumps(envelope, indent=1).encode() + b"\n"


class Verifier:
    """Checks signatures with public keys; one that any of them made is good, so that keys can be changed.

    Args:
        path: Ed25519 public keys in PEM, one after the other.

    Raises:
        ServingError: The file cannot be read, or holds no such key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys = read_public_keys(path)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Verifier | None:
        """With the keys that `TUNELOOP_VERIFY_KEY_FILE` names; None where nothing has to be signed.

        Raises:
            ServingError: The keys cannot be used, or the path is not absolute.
        """
        value = environment.get(VERIFY_VARIABLE)
        if not value:
            return None
        if not Path(value).is_absolute():
            raise ServingError(f"{VERIFY_VARIABLE} is {value!r}; it must be an absolute path")
        return cls(Path(value))

    def files(self, envelope: bytes | None, what: str, *, model: str, version: str) -> dict[str, str]:
        """The files that an envelope is good for, with their SHA-256.

        Args:
            envelope: As `Signer.sign` made it; None: there is none.
            what: Named in refusals.
            model: For which it must be.
            version: For which it must be.

        Raises:
            SignatureError: It is missing, unreadable, by an unknown key, changed, or of another model or version.
        """
        if envelope is None:
            raise SignatureError(f"{what} is not signed, and this server serves only what {self.path} verifies")
        payload, signatures = _opened(envelope, what)
        if not any(self._made(signature, payload) for signature in signatures):
            raise SignatureError(f"the signature of {what} was made by no key in {self.path}, or what it signs changed")
        return _subjects(payload, what, model, version)

    def check_model(self, envelope: bytes | None, sha256: str, *, model: str, version: str) -> None:
        """Return if an artifact with this SHA-256 may be served as this version.

        Raises:
            SignatureError: As `files`, or the signature is for another artifact.
        """
        what = f"version {version} of {model!r}"
        signed = self.files(envelope, what, model=model, version=version).get(MODEL_SUBJECT)
        if signed != sha256:
            raise SignatureError(f"the signature of {what} is for the artifact {signed}, not for {sha256}")

    def check_bento(self, folder: Path, *, model: str, version: str) -> None:
        """Return if a Bento holds the signed files as they were signed, and no others.

        Args:
            folder: The Bento.
            model: The model's name.
            version: Its number.

        Raises:
            SignatureError: As `files`; or a file was changed, is missing, or was added.
        """
        envelope = read_envelope(folder / SIGNATURE)
        signed = self.files(envelope, f"the Bento {folder}", model=model, version=version)
        found = hash_folder(folder, SIGNATURE)
        for name in sorted(signed.keys() | found.keys()):
            if signed.get(name) != found.get(name):
                how = "is missing" if name not in found else "was added" if name not in signed else "was changed"
                raise SignatureError(f"the Bento {folder} is not as it was signed: the file {name!r} {how}")

    def _made(self, signature: bytes, payload: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        for key in self._keys:
            try:
                key.verify(signature, _pae(payload))
            except InvalidSignature:
                continue
            return True
        return False


def read_envelope(path: Path) -> bytes | None:
    """The content of a signature file; None where there is none, or what is there is too large to be one."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= _MOST_BYTES else None


def hash_folder(folder: Path, leave_out: str) -> dict[str, str]:
    """Every file of a folder with its SHA-256; bytecode that Python keeps beside its sources is passed over."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path != folder / leave_out
    }


def _opened(envelope: bytes, what: str) -> tuple[bytes, list[bytes]]:
    """Payload and signatures; nothing in the payload counts before one of them is verified."""
    try:
        value: Any = json.loads(envelope)
        if value["payloadType"] != PAYLOAD_TYPE:
            raise SignatureError(f"the signature of {what} is of type {str(value['payloadType'])[:80]!r}")
        payload = base64.b64decode(value["payload"], validate=True)
        return payload, [base64.b64decode(one["sig"], validate=True) for one in value["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise SignatureError(f"the signature of {what} is no DSSE envelope: {error!r}") from error


def _subjects(payload: bytes, what: str, model: str, version: str) -> dict[str, str]:
    try:
        statement: Any = json.loads(payload)
        said = (statement["_type"], statement["predicateType"])
        made_for = (statement["predicate"]["model"], statement["predicate"]["version"])
        found = {str(one["name"]): str(one["digest"]["sha256"]) for one in statement["subject"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SignatureError(f"the signature of {what} is over something else: {error!r}") from error
    if said != (_STATEMENT, _PREDICATE):
        raise SignatureError(f"the signature of {what} is over something else: {said[0]}, {said[1]}")
    if made_for != (model, version):
        raise SignatureError(f"the signature of {what} is for version {made_for[1]} of {made_for[0]!r}")
    return found


def _pae(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
