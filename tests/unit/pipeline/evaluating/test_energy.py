"""What training used is told, and nothing that measures can fail it or ask a network."""

import logging
import socket
import sys
from pathlib import Path

import pytest

from tuneloop.pipeline.documents.card import energy_words
from tuneloop.pipeline.evaluating.energy import Energy, measured, metered, trained
from tuneloop.pipeline.runs.step import StepResult

codecarbon = pytest.importorskip("codecarbon")


@pytest.fixture
def offline(monkeypatch):
    """No connection leaves this process."""
    tried = []

    def connect(_, address):
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def done_of(**energies: Energy) -> dict[str, StepResult]:
    """Finished steps that used as much; `tune` was reused, as after a search."""
    return {
        name: StepResult(name, "", Path(), {"taken": "search", "energy": one.as_json()}, 1.0, name == "tune")
        for name, one in energies.items()
    }


def test_energy_is_measured_without_a_country_and_a_network(offline, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with metered() as meter:
        sum(range(200_000))
    assert meter.energy.kwh > 0
    assert meter.energy.co2 is None
    energy = trained(done_of(tune=meter.energy), "DEU")
    assert 0.05 < energy.co2 / energy.kwh < 1.5
    assert offline == []
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
    assert "kg of CO2 equivalents with the electricity of DEU" in energy_words(energy)


@pytest.mark.parametrize(("country", "reason"), [("ZZZ", "no electricity mix of 'ZZZ'"), (None, "card.country")])
def test_without_a_known_country_there_is_energy_and_no_carbon(country, reason):
    energy = trained(done_of(tune=Energy(kwh=0.5, seconds=60.0, hardware="a processor")), country)
    assert (energy.kwh, energy.co2) == (0.5, None)
    said = energy_words(energy)
    assert said.startswith("0.5 kWh in 60 s on a processor; CO2 not known: ")
    assert reason in said


def test_all_that_trained_is_summed_and_nothing_twice():
    one = Energy(kwh=0.5, seconds=10.0, hardware="a")
    both = trained(done_of(search=one, tune=one, crossvalidate=Energy(kwh=0.25, seconds=5.0, hardware="b")), None)
    assert (both.kwh, both.seconds, both.hardware) == (0.75, 15.0, "a; b"), "the search has trained the best already"
    assert "(search, crossvalidate)" in energy_words(both)
    assert trained(done_of(tune=one, crossvalidate=Energy(reason="broken")), None).kwh == 0.5
    assert energy_words(trained(done_of(tune=Energy(reason="broken")), "DEU")) == "not measured: broken"
    assert energy_words(trained({}, "DEU")) == "not measured: measured by no run"


def test_a_step_tells_what_was_used_beside_its_output():
    output = measured(lambda _: {"found": 3})(None)
    assert output["found"] == 3
    assert Energy(**output["energy"]).kwh > 0


@pytest.mark.parametrize("part", ["start", "stop"])
def test_a_meter_that_breaks_breaks_nothing(monkeypatch, part):
    def broken(_):
        raise RuntimeError("no sensor")

    monkeypatch.setattr(codecarbon.OfflineEmissionsTracker, part, broken)
    with metered() as meter:
        pass
    assert meter.energy.kwh is None
    assert "no sensor" in meter.energy.reason


def test_without_the_library_it_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with metered() as meter:
        pass
    assert "codecarbon is not installed" in energy_words(meter.energy)


def test_an_error_of_the_block_goes_through():
    with pytest.raises(ValueError, match="mine"), metered():
        raise ValueError("mine")
    assert logging.getLogger("codecarbon").level == logging.CRITICAL
