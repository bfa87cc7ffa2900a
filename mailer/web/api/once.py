"""A POST is done once for each Idempotency-Key; asking again brings the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, TypeVar, cast

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from mailer.accounts.once import BEGUN, digest_of, find_answer, finish_answer, keep_answer
from mailer.accounts.rights import Actor
from mailer.models import KeptAnswer
from mailer.web.deps import Parts, PartsDep

T = TypeVar("T")

AGAIN = "Idempotency-Replayed"
IN_MEMORY = 1024 * 1024
"""Bytes of a large file that are held in memory; what is more lies in a temporary one."""

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

    def answer(
        self,
        actor: Actor,
        act: Callable[[Session], BaseModel],
        status: int = 200,
        *,
        has_secret: bool = False,
    ) -> Response:
        """Do `act` and keep what it answers, in one transaction; or what it answered the first time.

        What is refused did nothing, and is not kept. An answer that `has_secret` is kept sealed, as the
        secret is. Raises KeyInUse and KeyOfAnother.
        """
        token_id = actor.token_id or 0
        with self.parts.session() as session:
            kept = find_answer(session, token_id, self.key, self.digest)
            if kept is not None:
                return self._again(kept, has_secret=has_secret)
            body = act(session).model_dump_json()
            keeping = self.parts.seal.close(body) if has_secret else body
            keep_answer(session, token_id, self.key, self.digest, status, keeping)
        return _json(body, status, {})

    def carry_out(
        self, actor: Actor, prepare: Callable[[Session], T], act: Callable[[T], BaseModel]
    ) -> Response:
        """Do `act` with what `prepare` wrote, outside of a transaction and once; keep what it answers.

        For what cannot be taken back, such as mail. The key is taken in the transaction of `prepare`: whoever
        asks again meanwhile is told to wait, and what was cut off is not begun again. `prepare` may refuse,
        `act` may not. Raises as `find_answer`.
        """
        token_id = actor.token_id or 0
        with self.parts.session() as session:
            kept = find_answer(session, token_id, self.key, self.digest)
            if kept is not None:
                return self._again(kept, has_secret=False)
            prepared = prepare(session)
            keep_answer(session, token_id, self.key, self.digest, BEGUN, "")
        body = act(prepared).model_dump_json()
        with self.parts.session() as session:
            finish_answer(session, token_id, self.key, 200, body)
        return _json(body, 200, {})

    def known(self, actor: Actor) -> Response | None:
        """What was answered the first time, if this is not the first time.

        For what asks other machines before its transaction: they are not asked again. Raises as `answer`.
        """
        with self.parts.session() as session:
            kept = find_answer(session, actor.token_id or 0, self.key, self.digest)
            return None if kept is None else self._again(kept, has_secret=False)

    def _again(self, kept: KeptAnswer, *, has_secret: bool) -> Response:
        body = self.parts.seal.open(kept.body, "What was answered") if has_secret else kept.body
        return _json(body, kept.status, {AGAIN: "true"})


def _json(body: str, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")


@dataclass(frozen=True)
class OnceFile:
    """One POST with its key and the file that is all of its body."""

    once: Once
    content: BinaryIO


async def _once_file(request: Request, parts: PartsDep, idempotency_key: Key) -> AsyncIterator[OnceFile]:
    hashed = hashlib.sha256()
    with SpooledTemporaryFile(IN_MEMORY) as file:
        async for chunk in request.stream():
            hashed.update(chunk)
            await run_in_threadpool(file.write, chunk)
        await run_in_threadpool(file.seek, 0)
        yield OnceFile(Once(parts, idempotency_key, _digest(request, hashed.digest())), cast(BinaryIO, file))


async def _once(request: Request, parts: PartsDep, idempotency_key: Key) -> Once:
    return Once(parts, idempotency_key, _digest(request, await request.body()))


def _digest(request: Request, body: bytes) -> bytes:
    query = request.url.query.encode()
    return digest_of(request.method.encode(), request.url.path.encode(), query, body)


OnceDep = Annotated[Once, Depends(_once)]
OnceFileDep = Annotated[OnceFile, Depends(_once_file)]
