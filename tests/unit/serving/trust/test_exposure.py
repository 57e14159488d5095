from __future__ import annotations

import socket

import click
import pytest

from tuneloop.api import ServingError
from tuneloop.serving.trust.exposure import check_exposure, default_host, is_loopback, listening_host, said_insecure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, authenticated=False, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "localhost.example.org"])
def test_beyond_this_machine(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ServingError, match=r"would listen on .* and answer anybody.*--insecure"):
        check_exposure(host, authenticated=False, insecure=False)
    check_exposure(host, authenticated=True, insecure=False)
    check_exposure(host, authenticated=False, insecure=True)


@pytest.mark.parametrize(("value", "said"), [("1", True), ("true", True), ("", False), ("0", False), ("no", False)])
def test_what_the_environment_says(value: str, said: bool) -> None:
    assert said_insecure({"TUNELOOP_INSECURE": value}) is said
    assert not said_insecure({})


def test_where_a_process_listens() -> None:
    assert listening_host({}) is None
    with click.Context(click.Command("serve")) as context:
        assert listening_host({}) is None
        context.params = {"host": "10.0.0.1"}
        assert listening_host({}) == "10.0.0.1"
        context.params = {"host": None}
        assert listening_host({}) == "127.0.0.1"
        assert (
            listening_host({"BENTOML_CONTAINERIZED": "true"})
            == "0.0.0.0"
            == default_host({"BENTOML_CONTAINERIZED": "true"})
        )
    with socket.create_server(("127.0.0.1", 0)) as listener, click.Context(click.Command("worker")) as context:
        context.params = {"fd": listener.fileno()}
        assert listening_host({}) == "127.0.0.1"
        listener.getsockname()
