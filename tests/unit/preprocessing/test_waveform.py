"""`waveform`: samples as transformers' own feature extractor gives them."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import Columns, RequestError
from tuneloop.preprocessing import WaveformPreprocessor

COLUMNS = Columns({"audio": "sound"}, target="said")


def made(**options: object) -> WaveformPreprocessor:
    return WaveformPreprocessor.fit({"seconds": 0.1, **options}, COLUMNS, None)  # type: ignore[arg-type]


def tone(samples: int, rate: int = 16_000) -> dict[str, object]:
    wave = 0.1 + 0.3 * np.sin(np.arange(samples) / 7)
    return {"sound": {"array": wave.tolist(), "sampling_rate": rate}}


def test_as_the_feature_extractor_does() -> None:
    from transformers import Wav2Vec2FeatureExtractor

    waveform = made()
    rows = [tone(1_600), tone(900)]
    (group,) = waveform.encode(waveform.check(rows))
    assert group.inputs["heard"].tolist() == [[1_600], [900]]
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    samples = [np.array(row["sound"]["array"], dtype=np.float32) for row in rows]  # type: ignore[index]
    right = extractor(samples, sampling_rate=16_000, padding="max_length", max_length=1_600, return_tensors="np")
    np.testing.assert_allclose(group.inputs["input_values"], right["input_values"], rtol=1e-3, atol=1e-4)


def test_other_rates_and_no_scaling() -> None:
    waveform = made(normalize=False)
    (group,) = waveform.encode(waveform.check([tone(400, 8_000)]))
    assert group.inputs["heard"].tolist() == [[800]]
    assert group.inputs["input_values"].shape == (1, 1_600)
    assert group.inputs["input_values"][0, 800:].tolist() == [0.0] * 800
    assert group.inputs["input_values"][0, 100:700].mean() == pytest.approx(0.1, abs=0.05)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(RequestError, match="at most"):
        made().check([tone(1_601)])
