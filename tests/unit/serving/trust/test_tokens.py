from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ServingError
from tuneloop.serving.trust.tokens import LOOK_SECONDS, TokenFile, read_tokens, token_files

OLD, NEW = "old-token-0123456789", "new-token-9876543210"


def write(path: Path, *lines: str, mode: int = 0o600) -> Path:
    fresh = path.with_suffix(".fresh")
    fresh.write_text("".join(f"{line}\n" for line in lines))
    fresh.chmod(mode)
    fresh.replace(path)
    return path


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_a_line_with_comments(tmp_path: Path) -> None:
    path = write(tmp_path / "tokens", "# the desk", OLD, "", f"  {NEW}  ")
    assert read_tokens(path) == (OLD, NEW)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "holds no token"),
        (("# nothing",), "holds no token"),
        ((OLD, "too-short"), r"line 2: the token has 9 characters; 16 are the least"),
        (("two words in one line",), "line 1: a token has visible ASCII"),
        (("pässword-0123456789",), "visible ASCII"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    path = write(tmp_path / "tokens", *lines)
    with pytest.raises(ServingError, match=said) as caught:
        read_tokens(path)
    assert not any(line in str(caught.value) for line in lines)


def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="open to everybody: chmod o="):
        read_tokens(write(tmp_path / "tokens", OLD, mode=0o644))
    assert read_tokens(write(tmp_path / "tokens", OLD, mode=0o440)) == (OLD,)


def test_a_file_that_is_not_there_or_far_too_large(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="cannot be read"):
        read_tokens(tmp_path / "absent")
    with pytest.raises(ServingError, match="larger than"):
        read_tokens(write(tmp_path / "tokens", "x" * (1 << 17)))


@given(content=st.binary(max_size=300))
def test_any_content_is_tokens_or_one_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-tokens"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        found = read_tokens(path)
    except ServingError:
        return
    assert all(token.isascii() and token.isprintable() and len(token) >= 16 for token in found)


def test_tokens_are_changed_while_the_server_runs(tmp_path: Path) -> None:
    clock, path = Clock(), write(tmp_path / "tokens", OLD)
    file = TokenFile(path, clock)
    assert (file.accepts(digest(OLD)), file.accepts(digest(NEW))) == (True, False)
    write(path, OLD, NEW)
    clock.now += LOOK_SECONDS
    assert (file.accepts(digest(OLD)), file.accepts(digest(NEW))) == (True, True)
    write(path, NEW)
    clock.now += LOOK_SECONDS
    assert (file.accepts(digest(OLD)), file.accepts(digest(NEW))) == (False, True)


def test_a_file_that_turns_bad_locks_nobody_out_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, path = Clock(), write(tmp_path / "tokens", OLD)
    file = TokenFile(path, clock)
    with caplog.at_level(logging.ERROR):
        for spoil in (lambda: write(path, "short"), path.unlink):
            spoil()
            for _ in range(3):
                clock.now += LOOK_SECONDS
                assert file.accepts(digest(OLD))
    assert len(caplog.records) == 2
    assert OLD not in caplog.text
    write(path, NEW)
    clock.now += LOOK_SECONDS
    assert (file.accepts(digest(OLD)), file.accepts(digest(NEW))) == (False, True)


def test_the_environment_names_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    assert token_files({}) == {}
    assert token_files({"TUNELOOP_PREDICT_TOKEN_FILE": str(path), "TUNELOOP_ADMIN_TOKEN_FILE": ""}) == {"predict": path}
    with pytest.raises(ServingError, match="TUNELOOP_ADMIN_TOKEN_FILE is 'tokens'; it must be an absolute path"):
        token_files({"TUNELOOP_ADMIN_TOKEN_FILE": "tokens"})
    assert token_files(os.environ | {"TUNELOOP_FEEDBACK_TOKEN_FILE": "/a"})["feedback"] == Path("/a")
