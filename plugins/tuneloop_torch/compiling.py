"""Whether the model can be compiled before it is trained. Imports torch: import it inside functions."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import warnings

import torch

from tuneloop.api import PluginError

_COMPILERS = ("c++", "g++", "clang++")


def check_compiler(device: torch.device) -> None:
    """Look for what `torch.compile` makes code with: without it, training would end in its first step.

    The compiler is imported here, as it uses parts of torch that warn of their age.

    Raises:
        PluginError: It is missing; says what to install.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._inductor.compile_fx")
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise PluginError(
                "tune.compile on a GPU needs the Python package 'triton', which comes with CUDA builds of torch on "
                "Linux; leave tune.compile out"
            )
        return
    wanted = os.environ.get("CXX")
    if shutil.which(wanted) is None if wanted else not any(map(shutil.which, _COMPILERS)):
        looked = f"CXX={wanted!r}" if wanted else ", ".join(_COMPILERS)
        raise PluginError(f"tune.compile needs a C++ compiler, and there is none ({looked}): install one, such as g++")
