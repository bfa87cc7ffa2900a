"""What the logs say of a batch: one line for it, and one for each mail that somebody may ask about.

A server's words are in the attempts of a mail, where they are found by its id; here are only its codes.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mailer.delivery.claim import Claim
from mailer.delivery.outcome import Outcome
from mailer.models import DeliveryState

log = logging.getLogger(__name__)

TROUBLE = (DeliveryState.UNCERTAIN, DeliveryState.QUARANTINED)


class Report:
    """Of one claimed batch, from the moment it was claimed."""

    def __init__(self, claim: Claim) -> None:
        self._began = time.monotonic()
        self._refusals: Counter[str] = Counter()
        self.fields: dict[str, Any] = {
            "batch_id": claim.batch_id,
            "lane": str(claim.lane),
            "transport": claim.transport_id,
        }

    def note(self, outcome: Outcome) -> None:
        """A mail did not simply end as accepted."""
        reply = outcome.reply
        if reply is not None:
            self._refusals[f"{reply.code} {reply.enhanced or ''}".strip()] += 1
        is_trouble = outcome.state in TROUBLE or outcome.is_cut
        level = logging.WARNING if is_trouble else logging.DEBUG
        if not log.isEnabledFor(level):
            return
        words = "The answer to a mail's final dot never came" if outcome.is_cut else "A mail was not accepted"
        fields = {
            "event": f"delivery.{'resent' if outcome.is_cut else outcome.state}",
            "delivery_id": outcome.row.id,
            **self.fields,
            "code": reply.code if reply else None,
            "enhanced": reply.enhanced if reply else None,
        }
        log.log(level, words, extra=fields)

    def end(self, counts: Mapping[DeliveryState, int]) -> None:
        """The batch is done; how many of its mails went into which state."""
        fields = {
            "event": "batch.done",
            **self.fields,
            "seconds": round(time.monotonic() - self._began, 3),
            "mails": {str(state): mails for state, mails in counts.items()},
            "refusals": dict(self._refusals),
        }
        log.info("Batch done", extra=fields)
