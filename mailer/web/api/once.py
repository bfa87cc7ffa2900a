"""A POST is done once for each Idempotency-Key; asking again brings the same answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from mailer.accounts.once import digest_of, find_answer, keep_answer
from mailer.accounts.rights import Actor
from mailer.web.deps import Parts, PartsDep

AGAIN = "Idempotency-Replayed"

Key = Annotated[
    str,
    Header(
        min_length=1,
        max_length=255,
        description="A name of your own for this request, such as a random UUID. For 24 hours, the same "
        "request with the same key does nothing and has the same answer.",
        examples=["7c4a8d09-ca37-42c7-b9b5-1f0e9e5fb1f1"],
    ),
]


@dataclass(frozen=True)
class Once:
    """One POST with its key."""

    parts: Parts
    key: str
    digest: bytes

    def name(self, actor: Actor) -> str:
        """What this request is called among all tokens' requests; it tells nothing of the key."""
        return digest_of(str(actor.token_id).encode(), self.key.encode()).hex()[:32]

    def answer(self, actor: Actor, act: Callable[[Session], BaseModel], status: int = 200) -> Response:
        """Do `act` and keep what it answers, in one transaction; or what it answered the first time.

        What is refused did nothing, and is not kept. Raises KeyInUse and KeyOfAnother.
        """
        token_id = actor.token_id or 0
        with self.parts.session() as session:
            kept = find_answer(session, token_id, self.key, self.digest)
            if kept is not None:
                return _json(kept.body, kept.status, {AGAIN: "true"})
            body = act(session).model_dump_json()
            keep_answer(session, token_id, self.key, self.digest, status, body)
        return _json(body, status, {})


def _json(body: str, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")


async def _once(request: Request, parts: PartsDep, idempotency_key: Key) -> Once:
    query = request.url.query.encode()
    body = await request.body()
    digest = digest_of(request.method.encode(), request.url.path.encode(), query, body)
    return Once(parts, idempotency_key, digest)


OnceDep = Annotated[Once, Depends(_once)]
