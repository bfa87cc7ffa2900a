"""A campaign in phases on `steadypost up`: a canary and a test of two subjects, over real SMTP."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.test_campaign import SENDER, add_people
from tests.support.campaigns import write_campaign
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.stack import Running, steadypost

PHASES = """canary:
  size: 10
  wait: 0 minutes
variants:
  b:
    subject: "Windows open"
test:
  measure: ask
  share: 20 %
"""


def figures(data_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(steadypost(data_dir, "campaign", "show", "spring", "--json"))
    return found


def test_ten_go_first_then_a_test_and_then_everybody_else_gets_what_was_chosen(
    data_dir: Path, server: ScriptedSmtp, stack: Running
) -> None:
    add_people(data_dir, "calm", 1, 110)
    add_people(data_dir, "letters", 111, 210)
    path = write_campaign(data_dir)
    text = path.read_text(encoding="utf-8").replace("disclaimer", f"{PHASES}{SENDER}\ndisclaimer")
    path.write_text(text, encoding="utf-8")
    steadypost(data_dir, "campaign", "create", str(path))
    steadypost(data_dir, "campaign", "send", "spring", "--yes")
    # 10 in the canary, and 20 % of the 200 that are left in the test.
    stack.until(lambda: figures(data_dir)["phases"]["phase"] == "test" and len(server.mails) == 50)
    told = steadypost(data_dir, "campaign", "show", "spring")
    assert "Canary of 10: 10 accepted, 0 bounces" in told
    assert "Next: somebody chooses what the rest gets" in told
    assert "held" in told
    steadypost(data_dir, "campaign", "choose", "spring", "--variant", "B", "--yes")
    stack.until(lambda: figures(data_dir)["state"] == "finished")
    assert Counter(server.recipients) == {f"reader{number}@reader.example": 1 for number in range(1, 211)}
    subjects = Counter(mail["Subject"] for mail in server.mails)
    assert subjects["Windows open"] >= 160 + 20
    assert "The statement balances." in steadypost(data_dir, "delivery", "statement", "--campaign", "spring")
