"""Ed25519 keys in PEM files (RFC 8410): the private one signs, the public ones verify."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError, ServingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PUBLIC_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """A private key (PKCS 8, without a password) that its owner alone can read.

    Raises:
        ServingError: It cannot be read, others may read it, or it is of another kind.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise MissingExtraError("signing", "cryptography", "sign") from error
    try:
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise ServingError(f"the signing key {path} is open to others: chmod 600 {path}")
        content = path.read_bytes()
    except OSError as error:
        raise ServingError(f"the signing key {path} cannot be read: {error.strerror or error}") from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ServingError(f"{path} holds no private key in PEM without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ServingError(f"{path} holds a key that is not Ed25519: openssl genpkey -algorithm ed25519")
    return key


def read_public_keys(path: Path) -> Sequence[Ed25519PublicKey]:
    """Public keys, one after the other: the first and the next, while they are changed.

    Raises:
        ServingError: The file cannot be read, or holds no such key.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise MissingExtraError("verifying signatures", "cryptography", "sign") from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ServingError(f"the verification key {path} cannot be read: {error.strerror or error}") from error
    try:
        keys = [load_pem_public_key(block) for block in _PUBLIC_BLOCK.findall(content)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ServingError(f"{path} holds a public key that cannot be read: {error}") from error
    found = [key for key in keys if isinstance(key, Ed25519PublicKey)]
    if not found or len(found) != len(keys):
        raise ServingError(f"{path} must hold Ed25519 public keys in PEM and no others: openssl pkey -pubout")
    return found


def key_id(key: Ed25519PublicKey) -> str:
    """Names a key: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
