"""The one way to other people's web servers: links that are looked at, feeds that are read.

Authors and feeds name the addresses, so each is a stranger's: nothing of it may reach the machines behind us.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import httpx

from mailer.errors import MailerError
from mailer.settings import Settings

Address = IPv4Address | IPv6Address

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
MOST_BYTES = 2_000_000
MOST_SECONDS = 10.0
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class CannotFetch(MailerError):
    """Look at the address, or try again later."""


class Forbidden(CannotFetch):
    """Only public web addresses are asked; STEADYPOST_FETCH_ALLOW names hosts and networks beside them."""


@dataclass(frozen=True)
class Fetched:
    """What a server said in the end. `url` is the last one of the redirects, `seconds` the time of it all."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    seconds: float


@dataclass(frozen=True)
class Fetcher:
    """Asks web servers, within limits of time, size and redirects, and only at addresses that are public.

    `allow` names what may be asked though it is not: networks such as 10.1.0.0/16, and hosts by name.
    """

    allow: Sequence[str] = ()
    user_agent: str = "Steadypost (self-hosted newsletters)"
    most_seconds: float = MOST_SECONDS
    most_bytes: int = MOST_BYTES
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """The answer with its content; raises CannotFetch. `headers`: such as If-None-Match."""
        return asyncio.run(self.ask(url, headers))

    async def ask(
        self, url: str, headers: Mapping[str, str] | None = None, *, with_content: bool = True
    ) -> Fetched:
        """The same where many are asked at a time; without content only the answer's head is read."""
        return await self._within(url, self._follow(url, headers or {}, with_content, time.monotonic()))

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], *, with_content: bool = False
    ) -> Fetched:
        """Send `content`; redirects are not followed, and without content only the answer's head is read.

        Raises CannotFetch.
        """
        return await self._within(url, self._post(url, content, headers, with_content))

    async def _post(
        self, url: str, content: bytes, headers: Mapping[str, str], with_content: bool
    ) -> Fetched:
        began = time.monotonic()
        own = {"user-agent": self.user_agent, "accept-encoding": "gzip", "connection": "close"}
        async with (
            self._client() as client,
            client.stream("POST", web_address(url), content=content, headers={**headers, **own}) as answer,
        ):
            told = await self._content(answer) if with_content else b""
            return Fetched(url, answer.status_code, answer.headers, told, time.monotonic() - began)

    async def _within(self, url: str, asked: Coroutine[Any, Any, Fetched]) -> Fetched:
        """The answer, in time."""
        try:
            # Around all of it: a server that sends a byte now and then would outlast each single timeout.
            async with asyncio.timeout(self.most_seconds):
                return await asked
        except TimeoutError:
            raise CannotFetch(f"{url} did not answer within {self.most_seconds:g} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise CannotFetch(f"{url} cannot be reached ({error or type(error).__name__}).") from None

    def _client(self) -> httpx.AsyncClient:
        """A client of its own for each request: no cookie goes from one to the next."""
        return httpx.AsyncClient(
            transport=_Pinned(self), follow_redirects=False, trust_env=False, timeout=self.most_seconds
        )

    async def _follow(
        self, url: str, headers: Mapping[str, str], with_content: bool, began: float
    ) -> Fetched:
        for _ in range(MOST_REDIRECTS + 1):
            target = web_address(url)
            async with self._client() as client:
                own = {"user-agent": self.user_agent, "accept-encoding": "gzip", "connection": "close"}
                async with client.stream("GET", target, headers={**headers, **own}) as answer:
                    goes_on = answer.status_code in REDIRECTS and "location" in answer.headers
                    if not goes_on:
                        content = await self._content(answer) if with_content else b""
                        took = time.monotonic() - began
                        return Fetched(url, answer.status_code, answer.headers, content, took)
                    url = str(target.join(answer.headers["location"]))
        raise CannotFetch(f"{url} comes after more than {MOST_REDIRECTS} redirects.")

    async def _content(self, answer: httpx.Response) -> bytes:
        """The body, unpacked here: a small packed one could fill the memory."""
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            self._refuse_size(answer, len(body))
        coding = answer.headers.get("content-encoding", "identity").lower()
        if coding == "identity":
            return bytes(body)
        if coding not in {"gzip", "x-gzip"}:
            raise CannotFetch(f"{answer.url} answers in the coding {coding}, which was not asked for.")
        try:
            unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(bytes(body), self.most_bytes + 1)
        except zlib.error:
            raise CannotFetch(f"{answer.url} says its answer is gzip, and it is not.") from None
        self._refuse_size(answer, len(unpacked))
        return unpacked

    def _refuse_size(self, answer: httpx.Response, size: int) -> None:
        if size > self.most_bytes:
            raise CannotFetch(f"{answer.url} answers with more than {self.most_bytes // 1000:,} kB.")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where `host` is, each address looked at; raises Forbidden when one of them may not be asked."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise CannotFetch(f"There is no host {host}.") from None
        numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for number in numbers:
            if not self._may_ask(host, ipaddress.ip_address(number)):
                raise Forbidden(f"{host} is at {number}, which is not a public address.")
        return numbers

    def _may_ask(self, host: str, address: Address) -> bool:
        real = _embedded(address)
        if real.is_global and not real.is_multicast and not real.is_reserved:
            return True
        for allowed in self.allow:
            network = as_network(allowed)
            if network is None and allowed.lower() == host.lower().rstrip("."):
                return True
            if network is not None and real in network:
                return True
        return False


PUBLIC_ONLY = Fetcher()
"""One that asks only what is public."""


def fetcher_of(settings: Settings) -> Fetcher:
    """The one that an installation uses: it says whose it is, and asks what is allowed beside the public."""
    return Fetcher(settings.fetch_allow, f"Steadypost (+{settings.base_url})")


def as_network(allowed: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network that is written, or None for a host's name."""
    try:
        return ipaddress.ip_network(allowed, strict=False)
    except ValueError:
        return None


def web_address(url: str) -> httpx.URL:
    """`url` read; raises CannotFetch unless it is a plain address of the web."""
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL:
        raise CannotFetch(f"{url} is not a web address.") from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise Forbidden(f"{url} does not begin with http:// or https://.")
    if target.userinfo:
        # Not repeated: it may hold a password.
        raise Forbidden(f"The address at {target.host} has a name or password in it.")
    return target


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one: that is the machine that would be asked."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address


class _Pinned(httpx.AsyncBaseTransport):
    """Connects to the very address that was looked at.

    Asking for the name a second time could give another one (DNS rebinding). The Host header stays, and the
    certificate is held to the name.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._inner = httpx.AsyncHTTPTransport(verify=fetcher.tls, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        failed: Exception | None = None
        for address in await self._fetcher.addresses(url.host, port):
            extensions: dict[str, Any] = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx.ConnectError as error:
                failed = error
        raise failed or httpx.ConnectError("it has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()
