import subprocess
import sys

import pytest

from tuneloop.api import RunError
from tuneloop.pipeline.runs.records import (
    RunRequest,
    create,
    list_runs,
    new_run_id,
    place_of,
    read_request,
    run_folder,
    update_status,
    working_on,
)


def request(run="20261121-053012-ab12", started="2026-11-21T05:30:12Z"):
    return RunRequest(run=run, project="desk", started=started, who="ada")


def test_run_ids_sort_by_time_and_are_valid(tmp_path):
    run = new_run_id()
    assert run_folder(tmp_path, run).name == run


@pytest.mark.parametrize("wrong", ["", "../x", "a/b", ".hidden", "a b", "a\x00"])
def test_a_run_id_is_one_plain_path_part(tmp_path, wrong):
    with pytest.raises(RunError, match="tuneloop runs"):
        run_folder(tmp_path, wrong)


def test_the_same_id_again_is_the_same_run(tmp_path):
    first = create(tmp_path, request(), b"name: a", b"{}\n")
    second = create(tmp_path, request(started="2027-01-01T00:00:00Z"), b"name: b", None)
    assert second == first
    assert (run_folder(tmp_path, first.run) / "tuneloop.yaml").read_bytes() == b"name: a"
    assert first.feedback is not None


def test_a_run_has_a_place_in_each_folder(tmp_path):
    one, two = (run_folder(tmp_path / name, create(tmp_path / name, request(), b"", None).run) for name in "ab")
    assert place_of(one) == place_of(one) != place_of(two)


def test_an_unknown_run_is_named(tmp_path):
    with pytest.raises(RunError, match="'nope'"):
        read_request(run_folder(tmp_path, "nope"))


def test_runs_are_listed_newest_first_and_cut_off_ones_are_interrupted(tmp_path):
    create(tmp_path, request("a", "2026-01-01T00:00:00Z"), b"", None)
    create(tmp_path, request("b", "2026-01-02T00:00:00Z"), b"", None)
    update_status(run_folder(tmp_path, "b"), state="passed", version="3")
    assert [(r.request.run, r.state) for r in list_runs(tmp_path)] == [("b", "passed"), ("a", "interrupted")]
    with working_on(run_folder(tmp_path, "a")):
        assert [r.state for r in list_runs(tmp_path)] == ["passed", "running"]
    assert list_runs(tmp_path)[0].as_json()["version"] == "3"


def test_two_processes_never_work_on_one_run(tmp_path):
    folder = run_folder(tmp_path, "a")
    code = (
        "import sys\nfrom pathlib import Path\nfrom tuneloop.pipeline.runs.records import working_on\n"
        "with working_on(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process"), working_on(folder):
            pass
        other.kill()
    with working_on(folder):
        pass
