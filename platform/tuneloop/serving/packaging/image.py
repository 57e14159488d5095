"""The container image of a Bento: what BentoML renders into its Dockerfile."""

from __future__ import annotations

import sys
from typing import Any

from tuneloop.serving.packaging.lock import BuildDevice

_CUDA_IMAGE = "nvidia/cuda:13.0.0-cudnn-runtime-ubuntu24.04"
"""With the libraries that onnxruntime-gpu 1.31 loads, which is built for CUDA 13 and cuDNN 9."""
# uv brings the Python. Ubuntu forbids pip outside of virtual environments, but in an image nothing else uses it.
_UV = (
    "apt-get update && apt-get install -q -y --no-install-recommends ca-certificates python3-pip"
    " && rm -rf /var/lib/apt/lists/* && pip install --break-system-packages --no-cache-dir uv"
)


def make_image(device: BuildDevice) -> Any:
    """The `bentoml.images.Image`. Everything in it comes as a wheel, so it has no compilers."""
    import bentoml

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    base = _CUDA_IMAGE if device == "gpu" else f"python:{python}-slim"
    # With the name of a distribution BentoML would install compilers and git first.
    image = bentoml.images.Image(base_image=base, distro="", python_version=python, lock_python_packages=False)
    if device == "gpu":
        image = image.run(_UV)
    return image.build_include("wheels")
