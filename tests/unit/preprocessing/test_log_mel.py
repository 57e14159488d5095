"""The spectrogram equals that of transformers."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from tuneloop.preprocessing.log_mel import log_mel
from tuneloop.preprocessing.resample import resample


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.7, 1.99, 2.0])
def test_it_equals_the_feature_extractor_of_transformers(tone, seconds):
    from transformers import WhisperFeatureExtractor

    samples = tone(seconds)
    expected = WhisperFeatureExtractor(chunk_length=2)(samples, sampling_rate=16_000, return_tensors="np")
    found = log_mel(samples, rate=16_000, window=400, hop=160, bands=80, frames=200)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected["input_features"][0], atol=1e-4)


def test_silence_is_finite():
    found = log_mel(np.zeros(160, np.float32), rate=16_000, window=400, hop=160, bands=80, frames=20)
    assert found.shape == (80, 20)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 16_001, 12_000])
def test_resampling_equals_scipy(tone, rate):
    samples = tone(0.4, rate)
    common = np.gcd(rate, 16_000)
    expected = resample_poly(samples.astype(np.float64), 16_000 // common, rate // common)
    np.testing.assert_allclose(resample(samples, rate, 16_000), expected, atol=1e-5)


def test_a_long_sound_is_resampled_in_blocks_without_a_seam(tone):
    samples = tone(6.0, 8_000)
    np.testing.assert_allclose(
        resample(samples, 8_000, 16_000), resample_poly(samples.astype(np.float64), 2, 1), atol=1e-5
    )


def test_the_rate_wanted_changes_nothing(tone):
    samples = tone()
    assert resample(samples, 16_000, 16_000) is samples
