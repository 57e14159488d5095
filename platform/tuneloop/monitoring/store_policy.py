"""What of each prediction is kept, and for how long: retention, sampling, and inputs that are hashed or left out.

A hashed value is `{"hashed": "..."}`: HMAC-SHA256 under a secret key, the first 128 bits in hexadecimal. Equal values
give equal hashes, so that rows can still be joined and counted; without the key nobody can try values out. A value left
out is `{"dropped": true}`, and a row of which nothing is kept is empty. No column of a model holds objects, so neither
can be taken for an input, and nothing is ever learned from them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from tuneloop.api import Row, ServingError
from tuneloop.monitoring.stored import Prediction, as_text

Inputs = Literal["keep", "hash", "drop"]

POLICY_VARIABLE = "TUNELOOP_STORE_POLICY"
"""JSON of a `StorePolicy`, for a server; `tuneloop serve` sets it from the project. It comes before the Bento's own."""
POLICY_FILE = "store.json"
"""In a Bento, beside the artifact: the policy of the project it was built from."""
KEY_VARIABLE = "TUNELOOP_STORE_KEY_FILE"
"""File with the key of the hashes."""

_LEAST_KEY_BYTES = 16
_LARGEST = 1 << 64
_DROPPED = {"dropped": True}


@dataclass(frozen=True, slots=True)
class StorePolicy:
    """What the prediction store keeps.

    Attributes:
        retention: Seconds after which a prediction, its label and its shadow are deleted; None: never.
        sample: Share of the predictions that are stored, chosen by a hash of their ids.
        inputs: What becomes of the columns of a row that are named nowhere else.
        drop_columns: Columns that are left out.
        hash_columns: Columns of which a hash is kept.
        required: Whether a server may not start while its store cannot be reached.
    """

    retention: float | None = None
    sample: float = 1.0
    inputs: Inputs = "keep"
    drop_columns: tuple[str, ...] = ()
    hash_columns: tuple[str, ...] = ()
    required: bool = False

    @property
    def keeps_inputs(self) -> bool:
        """Whether rows are stored as they came, so that they can be learned from."""
        return self.inputs == "keep" and not self.drop_columns and not self.hash_columns

    @property
    def hashes(self) -> bool:
        """Whether a key is needed."""
        return self.inputs == "hash" or bool(self.hash_columns)

    def takes(self, id_: str) -> bool:
        """Whether the prediction of this id is stored: every worker, and whoever holds a label, decides alike."""
        if self.sample >= 1.0:
            return True
        digest = hashlib.blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.sample * _LARGEST

    def check(self, columns: Collection[str]) -> None:
        """Refuse columns that rows do not have: one that is misspelt would be stored in clear.

        Args:
            columns: Of a row.

        Raises:
            ServingError: It names others.
        """
        unknown = [name for name in (*self.drop_columns, *self.hash_columns) if name not in columns]
        if unknown:
            known = ", ".join(columns)
            raise ServingError(f"the store is to drop or hash {unknown[0]!r}, and rows have no such column: {known}")

    def as_json(self) -> str:
        """The value of `POLICY_VARIABLE`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StorePolicy:
        """Read `POLICY_VARIABLE`; everything is kept where there is none.

        Raises:
            ServingError: It is no policy. A server that stored more than it may would be worse than none.
        """
        text = environment.get(POLICY_VARIABLE)
        return cls.from_json(text, POLICY_VARIABLE) if text else cls()

    @classmethod
    def from_json(cls, text: str, where: str) -> StorePolicy:
        """Read what `as_json` wrote.

        Args:
            text: JSON.
            where: What it was read from, for a message.

        Raises:
            ServingError: It is no policy.
        """
        try:
            given = json.loads(text)
            given |= {name: tuple(given.get(name, ())) for name in ("drop_columns", "hash_columns")}
            policy = cls(**given)
            fine = policy.inputs in get_args(Inputs) and 0 < policy.sample <= 1
            fine = fine and (policy.retention is None or policy.retention > 0) and isinstance(policy.required, bool)
        except (ValueError, TypeError, AttributeError) as error:
            raise ServingError(f"{where} is no policy of a store: {error}. Its value: {text!r}") from error
        if not fine:
            raise ServingError(f"{where} is no policy of a store: {text!r}")
        return policy


KEEP_ALL = StorePolicy()


def cover(policy: StorePolicy, key: bytes) -> Callable[[Row], Row]:
    """What makes of a row what may be stored of it.

    Args:
        policy: Which columns are hashed or left out.
        key: Of the hashes; not used where nothing is hashed.
    """
    kinds: dict[str, Inputs] = dict.fromkeys(policy.hash_columns, "hash")
    kinds |= dict.fromkeys(policy.drop_columns, "drop")

    def covered(row: Row) -> Row:
        wanted = {name: kinds.get(name, policy.inputs) for name in row}
        if all(kind == "drop" for kind in wanted.values()):
            return {}
        return {name: _covered(value, wanted[name], key) for name, value in row.items()}

    return covered


def hidden(row: Row) -> bool:
    """Whether something of a stored row was hashed or left out: it must not be learned from."""
    return not row or any(isinstance(value, Mapping) for value in row.values())


class _Store(Protocol):
    def add_predictions(self, predictions: Sequence[Prediction]) -> None: ...


class CoveredStore:
    """In front of a prediction store, for a writer: rows are hashed or left out in the writer's thread."""

    def __init__(self, store: _Store, covered: Callable[[Row], Row]) -> None:
        self._store, self._covered = store, covered

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Store answered rows, covered."""
        self._store.add_predictions([replace(one, row=self._covered(one.row)) for one in predictions])


def read_key(path: Path, *, make: bool = False) -> bytes:
    """The key of the hashes.

    Args:
        path: A file of at least 16 bytes that only its owner reads.
        make: Where there is none, make one.

    Raises:
        ServingError: It cannot be read or made, is too short, or others may read it.
    """
    try:
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(secrets.token_hex(32) + "\n")
        mode, key = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise ServingError(f"the store's key file {path} cannot be used: {error.strerror or error}") from error
    if mode & 0o007:
        raise ServingError(f"the store's key file {path} may be read by everybody; run: chmod 600 {path}")
    if len(key) < _LEAST_KEY_BYTES:
        raise ServingError(f"the store's key file {path} holds {len(key)} bytes; it needs {_LEAST_KEY_BYTES} or more")
    return key


def key_from_environment(policy: StorePolicy, environment: Mapping[str, str] = os.environ) -> bytes:
    """The key that `KEY_VARIABLE` names; empty where the policy needs none.

    Raises:
        ServingError: One is needed and not there.
    """
    if not policy.hashes:
        return b""
    path = environment.get(KEY_VARIABLE)
    if not path:
        raise ServingError(f"inputs are to be hashed, and {KEY_VARIABLE} names no file with the key")
    return read_key(Path(path))


def _covered(value: Any, kind: Inputs, key: bytes) -> Any:
    if kind == "keep":
        return value
    if kind == "drop":
        return _DROPPED
    return {"hashed": hmac.new(key, as_text(value).encode(), hashlib.sha256).hexdigest()[:32]}
