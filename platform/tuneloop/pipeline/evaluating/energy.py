"""The energy that training used, by codecarbon: measured or estimated on this machine, asked for nowhere else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Energy:
    """What was used, or why that is not known.

    Attributes:
        kwh: Electricity, in kilowatt hours; None: not known.
        co2: What its making set free, in kilograms of CO2 equivalents, by the country's mix; None: not known.
        country: Three letters of ISO 3166.
        seconds: For how long it was measured.
        hardware: The processors.
        reason: Why it is not known.
    """

    kwh: float | None = None
    co2: float | None = None
    country: str | None = None
    seconds: float = 0.0
    hardware: str = ""
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


@contextmanager
def metered(country: str | None) -> Iterator[Energy]:
    """Measure what this machine uses inside the block; what fails here never fails the block.

    Args:
        country: Whose electricity it is; None: nothing is measured.
    """
    found = Energy(country=country, reason="" if country else "not asked for (card.country in tuneloop.yaml)")
    tracker = _start(found) if country else None
    try:
        yield found
    finally:
        if tracker is not None:
            _stop(tracker, found)


def _start(found: Energy) -> Any:
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        found.reason = "codecarbon is not installed: pip install 'tuneloop[train]'"
        return None
    # It speaks before it has read how loud it may be.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    with _silent():
        try:
            tracker = OfflineEmissionsTracker(
                country_iso_code=found.country,
                save_to_file=False,
                save_to_api=False,
                save_to_logger=False,
                allow_multiple_runs=True,
                log_level="critical",
            )
            tracker.start()
        except Exception as error:
            logger.debug("codecarbon", exc_info=error)
            found.reason = f"codecarbon cannot measure here: {error}"
            return None
    return tracker


def _stop(tracker: Any, found: Energy) -> None:
    with _silent():
        try:
            tracker.stop()
            data = tracker.final_emissions_data
            found.kwh, found.seconds = float(data.energy_consumed), float(data.duration)
            found.hardware = ", ".join(part for part in (data.cpu_model, data.gpu_model) if part)
            if _known(found.country):
                found.co2 = float(data.emissions)
            else:
                found.reason = f"codecarbon knows no electricity mix of {found.country!r}"
        except Exception as error:
            logger.debug("codecarbon", exc_info=error)
            found.reason = f"codecarbon could not measure here: {error}"


def _known(country: str | None) -> bool:
    from codecarbon.input import DataSource

    return country in DataSource().get_global_energy_mix_data()


@contextmanager
def _silent() -> Iterator[None]:
    """Its warnings, of sensors that a machine lacks, are nobody's business."""
    with warnings.catch_warnings(), suppress(SystemExit):
        warnings.simplefilter("ignore")
        yield
