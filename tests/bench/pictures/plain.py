"""What one would write without Tuneloop: two convolutions, two linear layers, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def train_plain(
    pictures: NDArray[np.uint8], labels: NDArray[Any], tested: NDArray[np.uint8], *, epochs: int, seed: int
) -> NDArray[np.int64]:
    """The class that the trained network gives each test picture.

    Args:
        pictures: `uint8 [n, 28, 28]`.
        labels: Classes from 0 to 9, `[n]`.
        tested: `uint8 [m, 28, 28]`.
        epochs: Passes over the pictures.
        seed: Of all random numbers.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip
    inputs = torch.from_numpy(pictures).float()[:, None] / 255
    truth = torch.from_numpy(np.asarray(labels)).long()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[batch]), truth[batch]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        found = network(torch.from_numpy(tested).float()[:, None] / 255).argmax(dim=1)
    answers: NDArray[np.int64] = found.numpy()
    return answers
