"""The doors of a model that generates: OpenAI's completions and chat, and the protocol's `generate`; also streamed."""
