"""What a browser brings back within minutes, and can neither read nor change: the question it was asked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response

from mailer.sealing import SealedWithAnotherKey
from mailer.web.deps import Parts

WITHIN = timedelta(minutes=10)


def give(answer: Response, parts: Parts, name: str, value: dict[str, Any], now: datetime) -> None:
    """Have the browser keep `value` (what JSON can hold) for WITHIN under `name`."""
    where = urlsplit(parts.base_url)
    answer.set_cookie(
        f"steadypost_{name}",
        parts.seal.close(json.dumps({"name": name, "at": now.isoformat(), **value})),
        max_age=int(WITHIN.total_seconds()),
        path=where.path or "/",
        secure=where.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def take(request: Request, parts: Parts, name: str, now: datetime) -> dict[str, Any] | None:
    """What it was given as `name`, with `at` as the moment; None when it is gone, too old or not ours."""
    try:
        found: dict[str, Any] = json.loads(parts.seal.open(request.cookies.get(f"steadypost_{name}", "")))
    except (SealedWithAnotherKey, ValueError, TypeError):
        return None
    if found.get("name") != name:
        return None
    found["at"] = datetime.fromisoformat(found["at"])
    return found if now - found["at"] <= WITHIN else None


def drop(answer: Response, parts: Parts, name: str) -> None:
    """It was used."""
    where = urlsplit(parts.base_url)
    answer.delete_cookie(
        f"steadypost_{name}", path=where.path or "/", secure=where.scheme == "https", httponly=True
    )
