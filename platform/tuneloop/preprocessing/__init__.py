"""The built-in preprocessors, registered like a stranger's."""

from __future__ import annotations

from tuneloop.api import Preprocessor, hookimpl
from tuneloop.preprocessing.audio import AudioPreprocessor
from tuneloop.preprocessing.image import ImagePreprocessor
from tuneloop.preprocessing.passages import PassagesPreprocessor
from tuneloop.preprocessing.prompt import PromptPreprocessor
from tuneloop.preprocessing.speech_to_text import SpeechToTextPreprocessor
from tuneloop.preprocessing.tabular import TabularPreprocessor
from tuneloop.preprocessing.text import TextPreprocessor
from tuneloop.preprocessing.text_to_text import TextToTextPreprocessor
from tuneloop.preprocessing.waveform import WaveformPreprocessor
from tuneloop.preprocessing.words import WordsPreprocessor

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_preprocessors() -> list[type[Preprocessor]]:
    """The preprocessors of this folder."""
    return [
        TextPreprocessor,
        PromptPreprocessor,
        TextToTextPreprocessor,
        WordsPreprocessor,
        PassagesPreprocessor,
        AudioPreprocessor,
        WaveformPreprocessor,
        SpeechToTextPreprocessor,
        ImagePreprocessor,
        TabularPreprocessor,
    ]
