"""Pages: templates filled in and answered with the headers that keep them private and without script."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jinja2
from fastapi.responses import HTMLResponse

from mailer.i18n import install, is_right_to_left
from mailer.settings import PROJECT
from mailer.web.language import spoken

TEMPLATES = PROJECT / "templates" / "web"
STATIC = TEMPLATES / "static"
BUILT = PROJECT / "mailer" / "web" / "assets" / "built"
"""Other people's files, which `make assets` brings; pages are plain without them."""

PRIVATE_HEADERS = {
    # The address of a page is the reader's key to it: no other site and no cache may learn it.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}

PAGE_POLICY = (
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Pages:
    """Makes the pages of one installation; `base_url` may end in a path that a proxy takes away."""

    def __init__(self, base_url: str) -> None:
        self.root = urlsplit(base_url).path.rstrip("/")

    def render(
        self,
        template: str,
        language: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The page made from `template` in the nearest language that we have words for."""
        tag = spoken(language)
        body = (
            _environment(tag).get_template(template).render(language=tag, asset_url=self._asset_url, **values)
        )
        policy = {"Content-Security-Policy": PAGE_POLICY, "Content-Language": tag}
        return HTMLResponse(body, status, {**PRIVATE_HEADERS, **policy, **(headers or {})})

    def _asset_url(self, name: str) -> str:
        """The address of a file in `static`; it changes with the file, so browsers may keep it for good."""
        return f"{self.root}/static/{name}?v={asset_digest(name)}"


@lru_cache(maxsize=64)
def _environment(language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    install(environment, language)
    environment.globals["direction"] = "rtl" if is_right_to_left(language) else "ltr"
    return environment


@lru_cache(maxsize=64)
def asset(name: str) -> bytes:
    """The bytes of a file in `static` or of one that was built, read once; empty when it was not built."""
    for folder in (STATIC, BUILT):
        if (folder / name).exists():
            return (folder / name).read_bytes()
    return b""


@lru_cache(maxsize=64)
def asset_packed(name: str) -> bytes:
    """The same, compressed once with gzip's best."""
    return gzip.compress(asset(name), 9, mtime=0)


@lru_cache(maxsize=64)
def asset_digest(name: str) -> str:
    """What tells one version of a file from another."""
    return hashlib.sha256(asset(name)).hexdigest()[:12]
