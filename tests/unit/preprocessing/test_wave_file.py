"""Sound files: what soundfile writes is read the same, and nothing but a SoundError comes out of bytes."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.preprocessing.wave_file import SoundError, read_sound, write_wave


def written(samples, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, 8_000, **options)
    return file.getvalue()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wave_files_are_read_as_soundfile_reads_them(tone, subtype):
    content = written(tone(0.1, 8_000), format="WAV", subtype=subtype)
    expected, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    found = read_sound(content, 1.0)
    assert found.rate == rate
    np.testing.assert_allclose(found.samples, expected, atol=1e-7)


def test_channels_are_averaged_and_the_extensible_form_is_read(tone):
    both = np.stack([tone(0.1, 8_000), np.zeros(800, np.float32)], axis=1)
    for options in ({"format": "WAV", "subtype": "PCM_16"}, {"format": "WAVEX", "subtype": "PCM_16"}):
        found = read_sound(written(both, **options), 1.0)
        np.testing.assert_allclose(found.samples, both.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("format_", ["FLAC", "OGG"])
def test_other_formats(tone, format_):
    samples = tone(0.2, 8_000)
    found = read_sound(written(samples, format=format_), 1.0)
    assert found.rate == 8_000
    assert abs(len(found.samples) - len(samples)) <= 1
    assert np.corrcoef(found.samples[:1600], samples[:1600])[0, 1] > 0.99


def test_what_was_written_is_read_bit_for_bit(tone):
    samples = tone(0.1)
    found = read_sound(write_wave(samples, 16_000), 1.0)
    assert found.rate == 16_000
    assert np.array_equal(found.samples, samples)


@pytest.mark.parametrize("format_", ["WAV", "FLAC"])
def test_a_sound_that_is_too_long_is_refused(tone, format_):
    content = written(tone(1.0, 8_000), format=format_)
    with pytest.raises(SoundError, match=r"1\.00 s long; at most 0\.5 s"):
        read_sound(content, 0.5)


def test_samples_that_are_no_numbers_are_refused():
    with pytest.raises(SoundError, match="not finite"):
        read_sound(write_wave(np.array([0.0, np.nan], np.float32), 8_000), 1.0)


def test_a_cut_file_gives_what_is_there_or_is_refused(tone):
    content = write_wave(tone(0.1, 8_000), 8_000)
    assert 0 < len(read_sound(content[:-7], 1.0).samples) < 800
    for size in (4, 12, 30, 44):
        with pytest.raises(SoundError):
            read_sound(content[:size], 1.0)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"RIFF....WAVE", b"RIFF....WAVEfmt \x10\0\0\0", b"fLaC"]))
def test_any_bytes_are_a_sound_or_refused(tail, head):
    try:
        found = read_sound(head + tail, 1.0)
    except SoundError:
        return
    assert np.isfinite(found.samples).all()
