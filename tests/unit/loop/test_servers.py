from __future__ import annotations

import pytest

from tuneloop.api import ServingError
from tuneloop.loop.servers import resolve


def test_an_address_is_itself() -> None:
    assert resolve("http://127.0.0.1:3000/") == ("http://127.0.0.1:3000",)


def test_a_name_is_every_server_behind_it() -> None:
    assert "http://127.0.0.1:3000" in resolve("dns+http://localhost:3000")
    assert resolve("dns+http://127.0.0.1:3000") == ("http://127.0.0.1:3000",)
    assert resolve("dns+http://[::1]:3000") == ("http://[::1]:3000",)
    assert resolve("dns+https://127.0.0.1") == ("https://127.0.0.1:443",)


def test_a_name_that_is_nowhere_is_said() -> None:
    with pytest.raises(ServingError, match=r"'nobody\.invalid' resolves to no server"):
        resolve("dns+http://nobody.invalid:3000")
