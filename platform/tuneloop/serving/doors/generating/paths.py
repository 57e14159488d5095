"""Where OpenAI's clients ask."""

from __future__ import annotations

COMPLETIONS, CHAT, MODELS = "/v1/completions", "/v1/chat/completions", "/v1/models"
