"""Projects whose answers are written, on sentences that are translated word by word."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = {"red": "rot", "blue": "blau", "cat": "katze", "dog": "hund", "runs": "rennt", "sleeps": "ruht"}
YAML = """\
name: desk
task: translation
data: {source: jsonl, path: pairs.jsonl, columns: {text: en, label: de}, split: {validation: 0.2, test: 0.15,
  golden: 0.15}}
model: {base: seq2seq-small, vocabulary: 60, width: 32, layers: 1, heads: 2, dropout: 0.0, max_tokens: 8}
tune: {strategy: full, epochs: 3, learning_rate: 1.0e-3, batch_size: 16}
export: {format: onnx}
"""


TALES = """\
name: tales
task: text-generation
data: {source: jsonl, path: pairs.jsonl, columns: {text: en, label: de}, split: {validation: 0.2, test: 0.15,
  golden: 0.15}}
model: {candidates: [{base: causal-lm, checkpoint: letters}, {base: causal-lm, checkpoint: words}]}
tune: {strategy: full, epochs: 3, learning_rate: 1.0e-3, batch_size: 16}
export: {format: onnx}
"""


def write_decoder(folder: Path, *, letters: bool) -> Path:
    """A checkpoint of a random decoder whose tokens are letters, or words."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    text = " ".join((*WORDS, *WORDS.values())) + "\n"
    known = ["<unk>", "</s>", *sorted(set(text) if letters else {*text.split(), " ", "\n"})]
    plain = Tokenizer(WordLevel({token: place for place, token in enumerate(known)}, unk_token="<unk>"))
    plain.pre_tokenizer = Split(Regex("." if letters else r"\s|\S+"), "isolated")
    plain.decoder = Fuse()
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", eos_token="</s>", pad_token="</s>", model_max_length=128
    ).save_pretrained(folder)
    ids = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1}
    config = GPT2Config(vocab_size=len(known), n_embd=16, n_layer=1, n_head=2, n_positions=128, **ids)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def write_pairs(folder: Path, rows: int = 120, text: str = YAML) -> Path:
    """A project folder; every sentence has two to four words."""
    draw = random.Random(5)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pairs.jsonl").open("w") as stream:
        for _ in range(rows):
            words = draw.choices(list(WORDS), k=draw.randint(2, 4))
            stream.write(json.dumps({"en": " ".join(words), "de": " ".join(WORDS[word] for word in words)}) + "\n")
    (folder / "tuneloop.yaml").write_text(text)
    return folder
