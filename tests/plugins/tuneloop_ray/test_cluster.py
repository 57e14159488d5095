"""What is wrong with a cluster is said before anything starts."""

import builtins
import http.server
import os
import socket
import sys
import threading

import pytest

from tuneloop.api import MissingExtraError, RunError
from tuneloop_ray.cluster import check_address, check_version, import_ray


def test_an_address_where_nobody_listens_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RunError, match=f"no Ray cluster answers at '{address}'.*the run can be resumed"):
            check_address(address)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", ":6379", "head:port", "http://head:8265"])
def test_what_is_no_address_is_refused_with_those_that_are(address):
    with pytest.raises(RunError, match="none of: local, auto, HOST:PORT"):
        check_address(address)


def test_what_is_no_cluster_is_told_from_one():
    class Pages(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Nothing is printed."""

    with http.server.HTTPServer(("127.0.0.1", 0), Pages) as pages:
        threading.Thread(target=pages.handle_request, daemon=True).start()
        address = f"127.0.0.1:{pages.server_port}"
        with pytest.raises(RunError, match=f"what answers at '{address}' is no Ray cluster"):
            check_address(address)


@pytest.mark.parametrize(("version", "fits"), [("2.54.1", False), ("1.13.0", False), ("2.55.0", True), ("3.0.0", True)])
def test_old_releases_are_refused(version, fits):
    if fits:
        check_version(version)
    else:
        with pytest.raises(RunError, match=rf"Ray {version} is installed.*pip install 'tuneloop\[ray\]'"):
            check_version(version)


def test_a_missing_ray_says_what_to_install(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "ray":
            raise ImportError("No module named 'ray'")
        return original(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[ray\]"):
        import_ray()


def test_telemetry_is_off_whatever_the_environment_says(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    import_ray()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
