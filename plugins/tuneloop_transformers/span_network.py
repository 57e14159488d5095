"""The network of `transformers-spans`: a backbone, and two numbers a token of the context. Imports torch."""

from __future__ import annotations

from tuneloop_transformers.token_network import TokenClassifier


class SpanFinder(TokenClassifier):
    """Question and context in windows to how likely the answer begins and ends at each token of the context.

    `logits [batch, places, 2]`, `ABSENT` at places that are no token of the context, or that another window reads.
    """

    pooling = "spans"
    mark = "context"
