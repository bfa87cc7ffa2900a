"""The guarded fetcher against a real server on this machine, which a setting must allow."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mailer.fetch import CannotFetch, Fetched, Fetcher, Forbidden
from mailer.settings import load_settings

HERE = ("127.0.0.1/32",)


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/hop/"):
            left = int(self.path.rpartition("/")[2])
            self._answer(
                302, headers={"Location": f"/hop/{left - 1}" if left else "/seen", "Set-Cookie": "a=1"}
            )
        elif self.path == "/inside":
            self._answer(302, headers={"Location": "http://169.254.1.1/secrets"})
        elif self.path == "/file":
            self._answer(302, headers={"Location": "file:///etc/hostname"})
        elif self.path == "/big":
            self._answer(200, b"x" * 5_000)
        elif self.path == "/bomb":
            self._answer(200, gzip.compress(b"x" * 1_000_000), headers={"Content-Encoding": "gzip"})
        elif self.path == "/slow":
            time.sleep(1)
            self._answer(200)
        elif self.path == "/seen":
            seen = f"{self.headers['Host']} {self.headers['User-Agent']} {self.headers.get('Cookie')}"
            self._answer(200, seen.encode())
        else:
            self._answer(404)

    def do_POST(self) -> None:
        if self.path == "/moved":
            self._answer(307, headers={"Location": "/form"})
        else:
            self._answer(200, self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_this_machine_is_not_asked_unless_a_setting_allows_it(port: int) -> None:
    with pytest.raises(Forbidden):
        Fetcher().fetch(f"http://127.0.0.1:{port}/seen")
    allowed = load_settings({"STEADYPOST_FETCH_ALLOW": "127.0.0.1/32"}).fetch_allow
    assert Fetcher(allowed).fetch(f"http://127.0.0.1:{port}/seen").status == 200


def test_a_host_that_is_allowed_by_name_keeps_its_name_in_the_request(port: int) -> None:
    fetched = Fetcher(("localhost",), user_agent="Steadypost/1").fetch(f"http://localhost:{port}/seen")
    assert fetched.content.decode() == f"localhost:{port} Steadypost/1 None"


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",  # shared by a provider's customers
        "http://169.254.169.254/",  # where clouds tell secrets
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",  # 127.0.0.1 behind NAT64
        "http://[2002:7f00:1::]/",  # 127.0.0.1 behind 6to4
        "http://224.0.0.1/",
        "http://0.0.0.0/",
        "http://2130706433/",  # 127.0.0.1 as one number
        "http://240.0.0.1/",
        "ftp://example.org/",
        "file:///etc/hostname",
        "http://ada:secret@example.org/",
    ],
)
def test_what_is_never_asked(url: str) -> None:
    with pytest.raises(Forbidden) as refusal:
        Fetcher().fetch(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("path", ["inside", "file"])
def test_a_redirect_is_looked_at_like_the_first_address(port: int, path: str) -> None:
    with pytest.raises(Forbidden):
        Fetcher(HERE).fetch(f"http://127.0.0.1:{port}/{path}")


def test_five_redirects_are_followed_without_cookies_and_a_sixth_is_not(port: int) -> None:
    # /hop/4 goes by 3, 2, 1 and 0 to /seen: five redirects.
    fetched = Fetcher(HERE).fetch(f"http://127.0.0.1:{port}/hop/4")
    assert fetched.url.endswith("/seen")
    assert fetched.content.endswith(b"None")
    with pytest.raises(CannotFetch, match="more than 5 redirects"):
        Fetcher(HERE).fetch(f"http://127.0.0.1:{port}/hop/5")


@pytest.mark.parametrize("path", ["big", "bomb"])
def test_an_answer_that_is_too_big_is_left(port: int, path: str) -> None:
    with pytest.raises(CannotFetch, match="more than 4 kB"):
        Fetcher(HERE, most_bytes=4_000).fetch(f"http://127.0.0.1:{port}/{path}")


def test_an_answer_that_takes_too_long_is_left(port: int) -> None:
    with pytest.raises(CannotFetch, match=r"within 0\.2 seconds"):
        Fetcher(HERE, most_seconds=0.2).fetch(f"http://127.0.0.1:{port}/slow")


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that would lead elsewhere when asked again: what was checked is what is asked."""
    asked = []

    async def addresses(self: Fetcher, host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(Fetcher, "addresses", addresses)
    fetched = Fetcher(user_agent="Steadypost/1").fetch(f"http://moving.invalid:{port}/seen")
    assert fetched.content.startswith(f"moving.invalid:{port} ".encode())
    assert asked == ["moving.invalid"]


def test_what_is_posted_is_answered_and_goes_to_nobody_else(port: int) -> None:
    def post(path: str, fetcher: Fetcher) -> Fetched:
        return asyncio.run(fetcher.post(f"http://127.0.0.1:{port}{path}", b"code=1", {}, with_content=True))

    assert post("/form", Fetcher(HERE)).content == b"code=1"
    moved = post("/moved", Fetcher(HERE))
    assert (moved.status, moved.content) == (307, b"")
    with pytest.raises(Forbidden):
        post("/form", Fetcher())
