"""The energy that training used, by codecarbon: measured or estimated on this machine, asked for nowhere else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuneloop.pipeline.runs.step import StepContext, StepResult

logger = logging.getLogger(__name__)

_TRAINING = ("candidates", "search", "tune", "crossvalidate")
"""The steps that train."""


@dataclass(frozen=True, slots=True)
class Energy:
    """What was used, or why that is not known.

    Attributes:
        kwh: Electricity of this machine, in kilowatt hours; None: not known.
        co2: What its making set free, in kilograms of CO2 equivalents, by the country's mix; None: not known.
        country: Three letters of ISO 3166.
        seconds: For how long it was measured.
        hardware: The processors.
        reason: Why something of it is not known.
        steps: The steps that used it, where several did.
    """

    kwh: float | None = None
    co2: float | None = None
    country: str | None = None
    seconds: float = 0.0
    hardware: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


class Meter:
    """What is read once the block has ended.

    Attributes:
        energy: What was used.
    """

    energy = Energy(reason="it still runs")


def measured(run: Callable[[StepContext], dict[str, Any]]) -> Callable[[StepContext], dict[str, Any]]:
    """The function of a step, whose output then tells, as `energy`, what this machine used meanwhile."""

    def measure(context: StepContext) -> dict[str, Any]:
        with metered() as meter:
            output = run(context)
        return {**output, "energy": meter.energy.as_json()}

    return measure


def trained(done: Mapping[str, StepResult], country: str | None) -> Energy:
    """What all training of a run used; of a step that was reused, what it used then.

    Args:
        done: The run's steps.
        country: Whose electricity it was; None: what its making set free is not known.
    """
    found = {name: Energy(**done[name].output["energy"]) for name in _TRAINING if _counts(name, done)}
    known = {name: one for name, one in found.items() if one.kwh is not None}
    if not known:
        return next(iter(found.values()), Energy(reason="measured by no run"))
    total = Energy(
        kwh=sum(one.kwh or 0.0 for one in known.values()),
        seconds=sum(one.seconds for one in known.values()),
        hardware="; ".join(dict.fromkeys(one.hardware for one in known.values() if one.hardware)),
        steps=tuple(known) if len(known) > 1 else (),
    )
    return _with_co2(total, country)


def _counts(name: str, done: Mapping[str, StepResult]) -> bool:
    if name not in done or "energy" not in done[name].output:
        return False
    # The best trial's training is taken as that of the run: the search has measured it.
    taken = name == "tune" and "search" in done and done["search"].output["taken"] == "search" and done[name].reused
    return not (taken and "energy" in done["search"].output)


@contextmanager
def metered() -> Iterator[Meter]:
    """Measure what this machine uses inside the block; what fails here never fails the block.

    Nothing is sent or asked for anywhere. Other machines, on which a launcher trains, are not measured, nor what an
    attempt used that was killed.
    """
    meter = Meter()
    tracker = _start(meter)
    try:
        yield meter
    finally:
        if tracker is not None:
            _stop(tracker, meter)


def _start(meter: Meter) -> Any:
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        meter.energy = Energy(reason="codecarbon is not installed: pip install 'tuneloop[train]'")
        return None
    # It speaks before it has read how loud it may be.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    with _silent():
        try:
            # Without a country: what the energy's making sets free is told when a card is written.
            tracker = OfflineEmissionsTracker(
                save_to_file=False,
                save_to_api=False,
                save_to_logger=False,
                allow_multiple_runs=True,
                log_level="critical",
            )
            tracker.start()
        except Exception as error:
            logger.debug("codecarbon", exc_info=error)
            meter.energy = Energy(reason=f"codecarbon cannot measure here: {error}")
            return None
    return tracker


def _stop(tracker: Any, meter: Meter) -> None:
    with _silent():
        try:
            tracker.stop()
            data = tracker.final_emissions_data
            hardware = ", ".join(part for part in (data.cpu_model, data.gpu_model) if part)
            used, seconds = float(data.energy_consumed), float(data.duration)
        except Exception as error:
            logger.debug("codecarbon", exc_info=error)
            meter.energy = Energy(reason=f"codecarbon could not measure here: {error}")
            return
    if used > 0:
        meter.energy = Energy(kwh=used, seconds=seconds, hardware=hardware)
    else:
        meter.energy = Energy(reason="codecarbon finds nothing here whose use it can read or estimate")


def _with_co2(energy: Energy, country: str | None) -> Energy:
    """By the mean mix of the country's electricity, from a table that codecarbon carries."""
    if country is None:
        return replace(energy, reason="name the country in card.country of tuneloop.yaml")
    energy = replace(energy, country=country)
    try:
        from codecarbon.core.emissions import Emissions
        from codecarbon.core.units import Energy as Used
        from codecarbon.external.geography import GeoMetadata
        from codecarbon.input import DataSource
    except ImportError:
        return replace(energy, reason="codecarbon is not installed: pip install 'tuneloop[train]'")
    source = DataSource()
    if country not in source.get_global_energy_mix_data():
        return replace(energy, reason=f"codecarbon knows no electricity mix of {country!r}")
    used = Used.from_energy(kWh=energy.kwh)
    return replace(energy, co2=float(Emissions(source).get_country_emissions(used, GeoMetadata(country))))


@contextmanager
def _silent() -> Iterator[None]:
    """Its warnings, of sensors that a machine lacks, are nobody's business."""
    with warnings.catch_warnings(), suppress(SystemExit):
        warnings.simplefilter("ignore")
        yield
