"""A vocabulary of subwords, learned from texts: byte-pair encoding with the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Iterable

from tuneloop.api import DataError

PAD, START, STOP, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
"""Its first tokens, in this order from 0 on."""


def learn_vocabulary(texts: Iterable[str], size: int) -> str:
    """A tokenizer in JSON; what it reads ends with `</s>`, and texts come out of it as they went in but for spaces.

    Source: Sennrich et al., Neural Machine Translation of Rare Words with Subword Units, 2016.

    Args:
        texts: What will be read and written.
        size: Tokens, at most; characters that are too rare for half of them are unknown.

    Raises:
        DataError: There is no text to learn from.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    learned = Tokenizer(models.BPE(unk_token=UNKNOWN))
    learned.normalizer = normalizers.NFKC()
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    learned.decoder = decoders.Metaspace()
    special = [PAD, START, STOP, UNKNOWN]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, limit_alphabet=size // 2, show_progress=False
    )
    learned.train_from_iterator((text for text in texts if text), trainer)
    if learned.get_vocab_size() <= len(special):
        raise DataError("no vocabulary can be learned: the training rows hold no text")
    learned.post_processor = processors.TemplateProcessing(
        single=f"$A {STOP}", special_tokens=[(STOP, special.index(STOP))]
    )
    return str(learned.to_str())
