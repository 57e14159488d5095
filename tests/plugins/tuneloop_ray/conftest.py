"""A real cluster of two nodes on this machine, for all tests here."""

import os
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parents[1]


_TRIES = 20


def _add(made, **arguments):
    """Add a node; again where Ray gives up on it, which it does after half a minute on a busy machine."""
    for left in reversed(range(_TRIES)):
        try:
            return made.add_node(**arguments)
        except Exception as error:
            if left == 0 or "timed out during startup" not in str(error):
                raise
    return None


@pytest.fixture(scope="session")
def cluster():
    """Its head without cores and two nodes with one each, so that two processes share no node."""
    pytest.importorskip("ray")
    from tuneloop_ray.cluster import import_ray

    import_ray()
    from ray.cluster_utils import Cluster

    paths = [str(_HERE), *filter(None, sys.path)]
    before = os.environ.get("PYTHONPATH")
    # Its nodes hand it on to the processes that work.
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    try:
        made = Cluster()
        _add(made, num_cpus=0, include_dashboard=False)
        for _ in range(2):
            _add(made, num_cpus=1)
        yield made
        made.shutdown()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def address(cluster):
    """Where the cluster is reached, by a process that stays connected for all tests."""
    from tuneloop_ray.cluster import connected

    with connected(cluster.address):
        yield cluster.address
