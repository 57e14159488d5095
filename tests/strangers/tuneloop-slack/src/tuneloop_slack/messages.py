"""The sentences that are posted, in Slack's own markup."""

from __future__ import annotations

from tuneloop.api import AlertEvent, GateEvent, PromotionEvent

_MOST_CHECKS = 10


def promoted(event: PromotionEvent) -> str:
    """Of a promotion or a rollback."""
    before = f", after {_plain(event.previous)}" if event.previous else ""
    return (
        f":rocket: *{_plain(event.model)}*: version {_plain(event.version)} is the champion{before}. "
        f"{_plain(event.who)}: {_plain(event.why)}"
    )


def refused(event: GateEvent) -> str:
    """Of a refusal by the gate, with the checks' sentences."""
    shown = [f"• {_plain(check)}" for check in event.checks[:_MOST_CHECKS]]
    more = len(event.checks) - len(shown)
    rest = [f"• and {more} more"] if more > 0 else []
    head = f":no_entry: *{_plain(event.project)}*: the gate refused run `{_plain(event.run)}`"
    return "\n".join([head, *shown, *rest])


def alerted(event: AlertEvent) -> str:
    """Of an alert, and what the policy made of it."""
    return (
        f":ocean: *{_plain(event.model)}*: alert {_plain(event.alert)} since {_plain(event.started)}. "
        f"The loop says: {_plain(event.decision)}"
    )


def _plain(text: str) -> str:
    """Text without a meaning in Slack's markup: no mention of a whole channel comes out of a data set's names."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
