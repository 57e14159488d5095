"""Launcher `ray`: training on a Ray cluster, by Ray Train; many calls as tasks of the cluster."""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pydantic

from tuneloop.api import Job, Launcher, Outcome, Report, RunError, TuneloopError, call, pack_error, unpack_error
from tuneloop_ray.board import Board
from tuneloop_ray.cluster import LOCAL, check_address, connected, first_line, import_ray
from tuneloop_ray.many import call_many
from tuneloop_ray.stream import answer_stream

_POLL = 0.3
_RESUME = "`tuneloop run --resume` goes on from the last whole checkpoint"


class RayOptions(pydantic.BaseModel):
    """Options of launcher `ray`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    address: str = pydantic.Field(
        LOCAL,
        min_length=1,
        description="`local`: a cluster on this machine, for as long as the work takes; `auto`: the one that runs "
        "here, or that RAY_ADDRESS names; or HOST:PORT of a cluster this machine is a node of.",
    )
    processes: int = pydantic.Field(2, ge=1, le=4096, description="Processes that share each batch, on any nodes.")
    cpus: float = pydantic.Field(1.0, gt=0, le=1024, description="Cores each process reserves.")
    gpus: float = pydantic.Field(0.0, ge=0, le=16, description="GPUs each process reserves, and uses.")
    backend: Literal["auto", "gloo", "nccl"] = pydantic.Field(
        "auto", description="How processes exchange gradients; `auto`: nccl where they have GPUs, else gloo."
    )
    restarts: int = pydantic.Field(
        3, ge=0, le=100, description="How often training goes on by itself from the last checkpoint after one is lost."
    )


class RayLauncher(Launcher):
    """Processes on the nodes of a Ray cluster, which share each batch: Ray Train starts and watches them."""

    name = "ray"
    Options = RayOptions

    options: RayOptions

    @property
    def shares_files(self) -> bool:
        """The machines of a cluster see each other's files only where somebody shares them."""
        return self.options.address == LOCAL

    @property
    def processes(self) -> int:
        """As the options say."""
        return self.options.processes

    def examine(self) -> str:
        """The release of Ray, and whether somebody answers at the address."""
        ray = import_ray()
        address = self.options.address
        if address != LOCAL:
            check_address(address)
        where = "a cluster on this machine" if address == LOCAL else f"the cluster at {address!r}"
        return f"{self.processes} processes on {where}, Ray {ray.__version__}"

    def run(self, job: Job) -> Any:
        """Do the work on the cluster; processes that are lost are started again as the options say."""
        options = self.options
        with connected(options.address, cpus=math.ceil(options.processes * options.cpus)) as ray:
            self._check_room(ray)
            try:
                return self._train(ray, job)
            except ray.exceptions.RayError as error:
                # No process of the training, but what keeps its records, or the cluster.
                raise RunError(f"the Ray cluster was lost in the training: {first_line(error)}. {_RESUME}") from error

    def run_many(self, entry: str, arguments: Iterable[Mapping[str, Any]], parallel: int) -> Iterator[Outcome]:
        """Each call as a task of the cluster, in a fresh process; one that is lost is repeated as the options say."""
        options = self.options
        with connected(options.address, cpus=math.ceil(parallel * options.cpus)) as ray:
            yield from call_many(
                ray, entry, arguments, parallel, cpus=options.cpus, gpus=options.gpus, retries=options.restarts
            )

    def run_stream(self, entry: str, settings: Mapping[str, Any], items: Iterable[Any], parallel: int) -> Iterator[Any]:
        """Items through Ray Data, answered by a pool of processes; one that is lost is replaced."""
        options = self.options
        with connected(options.address, cpus=math.ceil(parallel * options.cpus)) as ray:
            yield from answer_stream(ray, entry, settings, items, parallel, cpus=options.cpus, gpus=options.gpus)

    def _train(self, ray: Any, job: Job) -> Any:
        board = ray.remote(Board).options(num_cpus=0).remote()
        with tempfile.TemporaryDirectory(prefix="tuneloop-ray-") as folder:
            failed = _fit(ray, self._trainer(job, board, folder), board, job.report)
        attempts, answer = ray.get(board.ending.remote())
        if failed is None and answer:
            return answer[0]
        raise self._failure(ray.get(board.errors.remote()), attempts, failed)

    def _check_room(self, ray: Any) -> None:
        """Refuse what the cluster can never hold: Ray would wait for it without a word."""
        there = ray.cluster_resources()
        for name, each in (("CPU", self.options.cpus), ("GPU", self.options.gpus)):
            needed, found = each * self.processes, there.get(name, 0.0)
            if found < needed:
                raise RunError(
                    f"training asks for {needed:g} {name}s ({self.processes} processes with {each:g} each), and the "
                    f"Ray cluster has {found:g}: lower launch.processes or launch.{name.lower()}s, or add nodes"
                )

    def _trainer(self, job: Job, board: Any, folder: str) -> Any:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        options = self.options
        on_gpu = options.gpus > 0
        resources = {"CPU": options.cpus, **({"GPU": options.gpus} if on_gpu else {})}
        backend = options.backend if options.backend != "auto" else "nccl" if on_gpu else "gloo"
        return TorchTrainer(
            take_part,
            train_loop_config={"entry": job.entry, "argument": dict(job.argument()), "board": board},
            scaling_config=ScalingConfig(num_workers=options.processes, use_gpu=on_gpu, resources_per_worker=resources),
            run_config=RunConfig(
                name="training",
                storage_path=folder,
                failure_config=FailureConfig(max_failures=options.restarts),
            ),
            torch_config=TorchConfig(backend=backend),
        )

    def _failure(self, errors: list[dict[str, Any]], attempts: int, failed: BaseException | None) -> TuneloopError:
        if errors and not errors[0]["lost"]:
            return unpack_error(errors[0], "a training process on the Ray cluster")
        said = first_line(failed) if failed else "no process gave an answer"
        if attempts:
            error = RunError(
                f"a training process on the Ray cluster was lost in each of {attempts} attempts, which is all that "
                f"launch.restarts ({self.options.restarts}) allows: {said}. {_RESUME}"
            )
        else:
            error = RunError(
                f"training could not be started on the Ray cluster: {said}. Every node needs the same installation of "
                f"Tuneloop. {_RESUME}"
            )
        error.__cause__ = failed
        return error


def take_part(config: Mapping[str, Any]) -> None:
    """What each process of a training does."""
    import ray

    board, rank = config["board"], int(os.environ.get("RANK", "0"))
    if any(not error["lost"] for error in ray.get(board.errors.remote())):
        raise RunError("what fails once by itself fails again")
    if rank == 0:
        ray.get(board.begin.remote())

    def report(record: Mapping[str, float]) -> None:
        if rank == 0:
            ray.get(board.tell.remote(dict(record)))

    try:
        answer = call(config["entry"], config["argument"], report)
    except Exception as error:
        ray.get(board.fail.remote(pack_error(error)))
        raise
    if rank == 0:
        ray.get(board.finish.remote(answer))


def _fit(ray: Any, trainer: Any, board: Any, report: Report) -> BaseException | None:
    """Train, and hand on each record as it comes; what Ray says of a failure."""
    failed: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=fit, name="tuneloop-ray", daemon=True)
    thread.start()
    told = 0
    while True:
        thread.join(_POLL)
        over = not thread.is_alive()
        for record in ray.get(board.read.remote(told)):
            told += 1
            report(record)
        if over:
            return failed[0] if failed else None
