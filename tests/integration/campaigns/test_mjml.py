"""A campaign in its author's own MJML: the same variables and care, and always a way to leave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mailer.db import session_scope
from mailer.launch.campaign_check import check_campaign
from tests.integration.campaigns.test_campaign_files import DUSK, edit, places
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import draft, put_people, set_going
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

FILE = """\
---
slug: card
subject: "A card"
preheader: "Two columns"
lists: calm
---
<mjml>
  <mj-body background-color="#ffffff">
    <mj-section padding="20px">
      <mj-column>
        <mj-image src="media/dusk.png" alt="The street at dusk" />
        <mj-text>{{ greeting }} Read <a href="https://example.org/card">the card</a>.</mj-text>
      </mj-column>
      <mj-column>
        <mj-button href="https://example.org/answer">Answer</mj-button>
      </mj-column>
    </mj-section>
    <mj-section>
      <mj-column>
        <mj-text>{{ sender.postal_address }}
        <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "dusk.png").write_bytes(DUSK.read_bytes())
    path = tmp_path / "card.mjml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_it_arrives_as_it_was_laid_out_with_a_text_part_and_a_way_to_leave(
    spring: House, server: ScriptedSmtp, card: Path
) -> None:
    with session_scope(spring.sessions) as session:
        draft(session, [card], spring.at)
        put_people(session, [1], "calm", spring.at)
    set_going(spring, slug="card")
    assert spring.send() == {"accepted": 1}
    [mail] = server.mails
    html, text = (mail.get_body((kind,)) for kind in ("html", "plain"))
    assert html is not None
    assert text is not None
    assert mail["Subject"] == "A card"
    shown = str(html.get_content())
    assert re.search(r'href="http://mail.test/m/[\w-]+/unsubscribe', shown)
    assert re.search(r'src="http://mail.test/media/\w+.png"', shown)
    assert "12 Quiet Lane, Bristol" in shown
    said = str(text.get_content())
    assert "the card <https://example.org/card>." in said
    assert "Answer: https://example.org/answer" in said
    assert "/unsubscribe" in said


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("{{ links.unsubscribe }}", "https://example.org", 7, "The mail has no link for unsubscribing."),
        ('<a href="{{ links', '{% if first_name %}x{% endif %}<a href="{{ links', 7,
         "The mail has no link for unsubscribing."),
        ("{{ sender.postal_address }}", "", 7, "The mail does not say its sender's postal address."),
        ("{{ greeting }}", "{{ greting }}", 12, "There is no variable `greting`."),
        ("<mj-body background", "<mj-head></mj-head><mj-body background", 8,
         "`<mj-head>` cannot stand in `<mjml>`."),
        ('<mj-section padding="20px">', '<mj-section background-url="https://x.org/a.png">', 9,
         "`<mj-section>` has no attribute `background-url`."),
        ("<mj-button href", "<script>x</script><mj-button href", 15,
         "`<script>` cannot stand in `<mj-column>`."),
        ("media/dusk.png", "https://example.org/dusk.png", 11,
         "The picture https://example.org/dusk.png is not one of the media folder."),
        (' alt="The street at dusk"', "", 11, "A picture has no alternative text."),
        ("<mj-body background", "Hello <mj-body background", 7,
         "Text or a control tag stands in `<mjml>` itself."),
        ("{{ greeting }}", "<?x y?>{{ greeting }}", 12, "`<?x` begins an instruction to a program."),
        ("https://example.org/answer", "ftp://x", 15, "The link to `ftp://x` does not work in a mail."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(
    spring: House, card: Path, old: str, new: str, line: int, what: str
) -> None:
    assert ("card.mjml", line, what) in places(spring, edit(card, (old, new)))


def test_what_is_no_mjml_is_told(spring: House, card: Path) -> None:
    card.write_text(FILE.partition("<mjml>")[0] + "# Just Markdown\n", encoding="utf-8")
    with session_scope(spring.sessions) as session:
        compiled, problems = check_campaign(session, [card])
    assert compiled is None
    assert [problem.what for problem in problems] == ["The MJML does not begin with <mjml>."]


def test_what_can_hardly_be_read_is_named_by_the_commands_in_its_file_and_line(
    spring: House, steadypost: Run, card: Path
) -> None:
    faint = ("<mj-text>{{ greeting", '<mj-text color="#eeeeee">{{ greeting')
    edit(
        card,
        faint,
        ("lists: calm", "lists: calm\nvariants:\n  b:\n    file: card-b.mjml\ntest:\n  measure: ask"),
    )
    (card.parent / "card-b.mjml").write_text("<mjml>" + FILE.partition("<mjml>")[2].replace(*faint), "utf-8")
    with session_scope(spring.sessions) as session:
        put_people(session, [1], "calm", spring.at)
    steadypost("campaign", "create", str(card))
    told = json.loads(steadypost("campaign", "preflight", "card", "--no-links", "--json").stdout)
    # The line is that of the text: A's after 11 lines of settings, B's from the top of its file.
    assert [(one["path"], one["line"]) for one in told] == [("card-b.mjml", 6), ("card.mjml", 17)]
    assert all(one["what"].startswith("Text stands out too little") for one in told)
    sent = steadypost("campaign", "send", "card", "--no-links", ends=1).stderr
    assert "card-b.mjml:6" in sent
