"""Courses on the desk, for tests: what its pages repeat, a file that is brought, a draft published."""

from __future__ import annotations

import re

from tests.support.staff import Person

DIGEST = re.compile(r'name="digest" value="([0-9a-f]{64})"')
SEAL = re.compile(r'name="seal" value="([0-9a-f]{32})"')
PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (40).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"\0" * 8


def digest(page: str) -> str:
    found = DIGEST.search(page)
    assert found, page
    return found[1]


def upload(who: Person, path: str, name: str, content: bytes, **fields: str) -> str:
    answer = who.client.post(
        path,
        data={"form_key": who.key, **fields},
        files={"file": (name, content)},
        follow_redirects=True,
    )
    return answer.text


def publishes(who: Person, path: str, **fields: str) -> str:
    page = who.get(f"{path}/publish").text
    seal = SEAL.search(page)
    assert seal, page
    return who.post(f"{path}/publish", seal=seal[1], **fields).text
