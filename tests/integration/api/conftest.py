"""The API of a house with its staff, and a program with a token that may what its scopes say."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailer.accounts.operators import find_operator
from mailer.accounts.rights import Right
from mailer.accounts.sessions import actor_of, session_now
from mailer.accounts.tokens import new_token
from mailer.db import Sessions, session_scope
from mailer.embedded.redis import EmbeddedRedis
from mailer.models import Role
from mailer.settings import Settings
from tests.support.cast import write_course
from tests.support.reader_pages import SECRET, running_app
from tests.support.staff import STAFF, hire


@dataclass
class Program:
    """A program with a token: `post` takes a new Idempotency-Key unless it is given one."""

    client: httpx.Client

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query)

    def post(self, path: str, body: Any = None, *, key: str = "", **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid.uuid4()), **more.pop("headers", {})}
        return self.client.post(path, json=body, headers=headers, **more)

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.client.request(method, path, json=body)


@pytest.fixture
def settings(database_url: str, redis: EmbeddedRedis, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis.broker_url,
        secret_key=(SECRET,),
        data_dir=tmp_path / "data",
        fetch_allow=("127.0.0.1/32",),
    )


@pytest.fixture
def address(settings: Settings, sessions: Sessions) -> Iterator[str]:
    """Where the application is."""
    hire(sessions, Role.OWNER)
    with running_app(settings) as found:
        yield found


def token_for(sessions: Sessions, *rights: Right) -> str:
    """A token of the owner's with these rights."""
    with session_scope(sessions) as session:
        owner = find_operator(session, STAFF[Role.OWNER][0])
        assert owner is not None
        return new_token(session, actor_of(owner), "the shop", rights, None, session_now(session))


@pytest.fixture
def program(address: str, sessions: Sessions) -> Iterator[Callable[..., Program]]:
    """Makes programs with these rights (all, when none is named)."""
    clients: list[httpx.Client] = []

    def make(*rights: Right) -> Program:
        token = token_for(sessions, *(rights or tuple(Right)))
        headers = {"Authorization": f"Bearer {token}"}
        # Where many tests run at once, five seconds may pass without any of them being slow.
        client = httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30)
        clients.append(client)
        return Program(client)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def shop(program: Callable[..., Program]) -> Program:
    """A program that may everything that programs do."""
    return program()


def zipped(folder: Path, top: str = "") -> bytes:
    """A course folder as somebody would pack it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, top + path.relative_to(folder).as_posix())
    return packed.getvalue()


def upload(shop: Program, path: str, content: bytes, **query: str) -> Any:
    headers = {"Content-Type": "application/zip", "Idempotency-Key": f"{path} {hash(content)}"}
    return shop.client.post(path, content=content, headers=headers, params=query)


@pytest.fixture
def calm(shop: Program, tmp_path: Path) -> Path:
    """The folder of the course "calm", which is published (its list takes people at once)."""
    folder = write_course(tmp_path / "calm")
    answer = upload(shop, "/courses", zipped(folder), agreed="warnings")
    assert answer.status_code == 200, answer.text
    return folder


def joins(shop: Program, email: str) -> int:
    asked = {"email": email, "list": "calm", "consent": "Send me the course."}
    number: int = shop.post("/subscribers", asked).json()["id"]
    return number
