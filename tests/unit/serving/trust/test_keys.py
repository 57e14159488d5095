from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tuneloop.api import ServingError
from tuneloop.serving.trust.keys import key_id, read_private_key, read_public_keys

Keys = Callable[[], tuple[Path, Path]]


def test_a_pair(keys: Keys) -> None:
    private, public = keys()
    (found,) = read_public_keys(public)
    assert key_id(read_private_key(private).public_key()) == key_id(found)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_private_key_that_others_can_read_is_refused(keys: Keys, mode: int) -> None:
    private, _ = keys()
    private.chmod(mode)
    with pytest.raises(ServingError, match="is open to others: chmod 600"):
        read_private_key(private)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ServingError, match="not Ed25519"):
        read_private_key(private)
    with pytest.raises(ServingError, match="Ed25519 public keys in PEM and no others"):
        read_public_keys(public)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_files_that_hold_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ServingError, match=r"key\.pem"):
        read_private_key(path)
    with pytest.raises(ServingError, match=r"key\.pem"):
        read_public_keys(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match=r"the signing key .*absent cannot be read"):
        read_private_key(tmp_path / "absent")
    with pytest.raises(ServingError, match=r"the verification key .*absent cannot be read"):
        read_public_keys(tmp_path / "absent")


def test_a_private_key_is_not_taken_for_a_public_one(keys: Keys) -> None:
    private, _ = keys()
    with pytest.raises(ServingError, match="public keys"):
        read_public_keys(private)
