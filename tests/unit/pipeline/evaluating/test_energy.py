"""What training used is told, and nothing that measures can fail it or ask a network."""

import logging
import socket

import pytest

from tuneloop.pipeline.documents.card import energy_words
from tuneloop.pipeline.evaluating.energy import Energy, metered

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


def test_energy_and_carbon_of_a_country_without_a_network(offline, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with metered("DEU") as energy:
        sum(range(200_000))
    assert energy.kwh > 0
    assert 0.05 < energy.co2 / energy.kwh < 1.5
    assert offline == []
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
    assert "kg of CO2 equivalents with the electricity of DEU" in energy_words(energy)


def test_an_unknown_country_has_energy_and_no_carbon(offline):
    with metered("ZZZ") as energy:
        pass
    assert energy.kwh >= 0
    assert energy.co2 is None
    assert "'ZZZ'" in energy_words(energy)


def test_without_a_country_nothing_is_measured():
    with metered(None) as energy:
        pass
    assert energy == Energy(reason="not asked for (card.country in tuneloop.yaml)")
    assert energy_words(energy).startswith("not measured: not asked for")


@pytest.mark.parametrize("part", ["start", "stop"])
def test_a_meter_that_breaks_breaks_nothing(monkeypatch, part):
    def broken(_):
        raise RuntimeError("no sensor")

    monkeypatch.setattr(codecarbon.OfflineEmissionsTracker, part, broken)
    with metered("FRA") as energy:
        pass
    assert energy.kwh is None
    assert "no sensor" in energy.reason


def test_an_error_of_the_block_goes_through():
    with pytest.raises(ValueError, match="mine"), metered("FRA"):
        raise ValueError("mine")
    assert logging.getLogger("codecarbon").level == logging.CRITICAL
