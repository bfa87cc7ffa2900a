"""Every example of docs/api.md and the page, as somebody would type them, in their order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from mailer.settings import PROJECT
from tests.integration.api.conftest import Program, zipped
from tests.support.cast import write_course

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_examples_do_what_they_say(shop: Program, tmp_path: Path) -> None:
    (tmp_path / "course.zip").write_bytes(zipped(write_course(tmp_path / "calm")))
    blocks = BLOCK.findall((PROJECT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert len(blocks) > 8
    surroundings = {
        "PATH": os.environ["PATH"],
        "API": str(shop.client.base_url).rstrip("/"),
        "TOKEN": shop.client.headers["authorization"].removeprefix("Bearer "),
    }
    for block in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    assert "ada@reader.example" in (tmp_path / "ada.json").read_text(encoding="utf-8")
