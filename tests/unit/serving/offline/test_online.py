"""A real Bento: the same rows to its server and to batch scoring get the same answers, bit for bit; and signatures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact
from tuneloop.cli.predict_model import open_model
from tuneloop.monitoring.stack import free_port
from tuneloop.serving.loader import load_version
from tuneloop.serving.offline import BatchJob, score_files
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import start_server
from tuneloop.serving.trust.signature import SIGNATURE, SignatureError, Signer, hash_folder

WINDOW = 200


@pytest.fixture(scope="module")
def bento(moods: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("store")
    return bento_folder(home, build_bento(moods, "1", home=home))


@pytest.fixture(scope="module")
def client(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("server")
    server = start_server(str(bento), home=folder / "home", log=folder / "log.txt", port=free_port(), threads=2)
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        server.wait_ready(300)
        yield client


def asked(client: httpx.Client, texts: list[str], together: int) -> list[dict[str, Any]]:
    found = []
    for start in range(0, len(texts), together):
        rows = [{"message": text} for text in texts[start : start + together]]
        answer = client.post("/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        found += [{k: v for k, v in one.items() if k != "id"} for one in answer.json()["predictions"]]
    return found


@pytest.mark.parametrize(
    ("together", "options"), [(WINDOW, {"window_rows": WINDOW}), (1, {"batch_rows": 1})], ids=["windows", "alone"]
)
def test_batch_and_server_agree_to_the_bit(
    client: httpx.Client,
    bento: Path,
    messages: Callable[..., list[str]],
    write_jsonl: Callable[..., Path],
    tmp_path: Path,
    together: int,
    options: dict[str, int],
) -> None:
    texts = messages(450, 8)
    source = write_jsonl([{"message": text} for text in texts])
    loaded = load_version(bento / "src" / "artifact", "1")
    score_files(loaded, BatchJob((str(source),), str(tmp_path / "a.jsonl"), threads=2, **options))  # type: ignore[arg-type]
    offline = []
    for line in (tmp_path / "a.jsonl").read_text().splitlines():
        row = json.loads(line)
        scores = {name.removeprefix("scores."): row[name] for name in row if name.startswith("scores.")}
        offline.append({"label": row["label"], "confidence": row["confidence"], "scores": scores})
    assert offline == asked(client, texts, together)


def test_where_keys_are_named_only_a_signed_bento_is_taken(
    bento: Path,
    moods: Artifact,
    keys: Callable[[], tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = shutil.copytree(bento, tmp_path / "moods")
    assert open_model(str(copy), None, "cpu").version == "1"
    private, public = keys()
    monkeypatch.setenv("TUNELOOP_VERIFY_KEY_FILE", str(public))
    with pytest.raises(SignatureError, match="is no Bento, so it is not signed"):
        open_model(str(moods.folder), None, "cpu")
    with pytest.raises(SignatureError, match="is not signed"):
        open_model(str(copy), None, "cpu")
    (copy / SIGNATURE).write_bytes(Signer(private).sign(hash_folder(copy, SIGNATURE), "moods", "1"))
    assert open_model(str(copy), None, "cpu").version == "1"
    (copy / "src" / "service.py").write_text("print('mine')")
    with pytest.raises(SignatureError, match=r"'src/service\.py' was changed"):
        open_model(str(copy), None, "cpu")


@pytest.mark.parametrize("content", ["", "- 1", "name: a", "name: [", "{}"])
def test_a_bento_that_does_not_say_what_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / "bento.yaml").write_text(content)
    with pytest.raises(ServingError, match="does not say which Bento this is"):
        open_model(str(tmp_path), None, "cpu")
