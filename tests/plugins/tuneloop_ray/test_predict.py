"""`tuneloop predict` on a real Ray cluster: the answers of one process, to the byte, whatever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.unit.serving.offline.conftest import make_messages, make_text_artifact

from tuneloop.api import DataError, ServingError
from tuneloop.serving.loader import Loaded, load_version
from tuneloop.serving.offline import BatchJob, Pace, score_files
from tuneloop.serving.offline.elsewhere import answered_by
from tuneloop_ray.launcher import RayLauncher, RayOptions

pytest.importorskip("ray")
# Ray uses parts of itself that it warns of.
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    artifact = make_text_artifact(tmp_path_factory.mktemp("moods") / "artifact")
    return load_version(artifact.folder, "1", device="cpu")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [{"id": i, "message": text if i % 97 else ""} for i, text in enumerate(make_messages(1500, 6))]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no record\n")
    return path


def job(source: Path, output: Path, **more: object) -> BatchJob:
    chosen = {"on_error": "skip", "keep": ("id",), "window_rows": 100, "threads": 2, **more}
    return BatchJob(inputs=(str(source),), output=str(output), **chosen)  # type: ignore[arg-type]


def workers() -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if "Answerer" in " ".join(one.info["cmdline"] or ())]


def test_the_same_bytes_also_when_a_process_is_killed_in_the_middle(
    address: str, loaded: Loaded, source: Path, tmp_path: Path
) -> None:
    here = score_files(loaded, job(source, tmp_path / "here.csv"))
    launcher = RayLauncher(RayOptions(address=address))
    paces: list[Pace] = []
    killed: list[int] = []

    def listen(pace: Pace) -> None:
        paces.append(pace)
        if len(paces) == 2 and (found := workers()):
            os.kill(found[0].pid, signal.SIGKILL)
            killed.append(found[0].pid)

    there = score_files(loaded, job(source, tmp_path / "there.csv"), listen, launcher=launcher)
    assert killed
    assert there.counts == here.counts
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    rejects = [(tmp_path / f"{name}.csv.rejects.jsonl").read_bytes() for name in ("here", "there")]
    assert rejects[0] == rejects[1]
    assert [pace.rows for pace in paces] == sorted(pace.rows for pace in paces)
    assert len(paces) == 16
    assert not (tmp_path / "there.csv.partial").exists()


def test_a_refused_record_stops_the_job_and_another_launcher_goes_on_with_it(
    address: str, loaded: Loaded, source: Path, tmp_path: Path
) -> None:
    launcher = RayLauncher(RayOptions(address=address))
    with pytest.raises(DataError, match=r"in\.jsonl, line 1, field 'message'"):
        score_files(loaded, job(source, tmp_path / "a.csv", on_error="stop"), launcher=launcher)
    assert not (tmp_path / "a.csv").exists()
    score_files(loaded, job(source, tmp_path / "a.csv"), launcher=launcher)
    score_files(loaded, job(source, tmp_path / "b.csv"))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_model_that_a_machine_of_the_cluster_does_not_see(address: str, loaded: Loaded, tmp_path: Path) -> None:
    artifact = make_text_artifact(tmp_path / "gone")
    gone = load_version(artifact.folder, "1", device="cpu")
    (artifact.folder / "manifest.json").rename(tmp_path / "manifest.json")
    launcher = RayLauncher(RayOptions(address=address))
    from tuneloop.serving.offline.inputs import Window

    with pytest.raises(ServingError, match="every machine that takes part must see"):
        list(answered_by(launcher, gone, 8, 1, [Window(1, (), (), 1.0)]))
