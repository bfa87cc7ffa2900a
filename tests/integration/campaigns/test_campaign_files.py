"""A campaign's file: everything that is wrong with it is told at once, with its line and what to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.audience.lists import add_list, get_list
from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.campaign_check import check_campaign
from mailer.models import Campaign, Media, OptIn, Sender
from mailer.schedule.campaigns import get_campaign
from tests.support.campaigns import SPRING, draft, write_campaign
from tests.support.house import House

DUSK = Path(__file__).parents[2] / "support" / "courses" / "tiny" / "media" / "dusk.png"
BLOCK = """sender:
  name: The Other Room
  email: other@steadypost.example
  postal_address: 1 Other Lane, Bristol"""


def places(house: House, *paths: Path) -> list[tuple[str, int, str]]:
    with session_scope(house.sessions) as session:
        _, problems = check_campaign(session, paths)
    return [(problem.path, problem.line, problem.what) for problem in problems]


def edit(path: Path, *pairs: Sequence[str]) -> Path:
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("slug: spring\n", "", 1, "`slug` is missing."),
        ("slug: spring", "slug: Spring!", 2, "`slug` is 'Spring!'."),
        ("language: en", "language: english", 5, "'english' is not a language."),
        ("lists: [calm, letters]\n", "", 1, "`lists` is missing."),
        ("language: en", "public: perhaps", 5, "`public` is 'perhaps'."),
        ("lists: [calm, letters]", "lists: []", 6, "`lists` is empty."),
        ("lists: [calm, letters]", "lists: [calm, leters]", 6, "There is no list 'leters'."),
        ("lists: [calm, letters]", "lists: {calm: 1}", 6, "`lists` is not plain text."),
        ("lists: [calm, letters]", "lists: calm\nsender: nobody", 7, "There is no sender 'nobody'."),
        ("lists: [calm, letters]", "lists: calm\nday: 3", 7, "`day` is not a setting of a campaign."),
        ("Spring at the Reading Room\"", "Spring for {{ frist_name }}\"", 3,
         "There is no variable `frist_name`."),
        ("The windows", "{{ course.title }}", 13, "There is no variable `course.title`."),
        ("The windows", "[x](ftp://y)", 13, "The link to `ftp://y` does not work in a mail."),
        ("The windows", "![a moon](media/moon.png)", 13,
         "There is no picture media/moon.png (.gif, .jpeg, .jpg, .png)."),
        ("# Spring", "Spring", 9, "The mail has no title."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_problem_with_its_line(
    spring: House, tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    assert places(spring, edit(write_campaign(tmp_path), (old, new))) == [("spring.md", line, what)]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("  name: The Other Room\n", "", 7, "The sender's name is missing."),
        ("other@", "other at ", 9, "'other at steadypost.example' is not an email address."),
        ("  postal_address", "  reply_to: me\n  postal_address", 10, "'me' is not an email address."),
        ("  name", "  nickname: Rory\n  name", 8, "`nickname` is not a setting of a sender."),
    ],
)
def test_a_mistake_in_the_senders_block_is_told_with_its_line(
    spring: House, tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    path = edit(write_campaign(tmp_path), ("disclaimer", f"{BLOCK}\ndisclaimer"), (old, new))
    assert places(spring, path) == [("spring.md", line, what)]


def test_all_problems_are_told_together(spring: House, tmp_path: Path) -> None:
    path = edit(
        write_campaign(tmp_path), ("slug: spring\n", ""), ("[calm, letters]", "nowhere"), ("# S", "S")
    )
    assert [what for _, _, what in places(spring, path)] == [
        "`slug` is missing.",
        "There is no list 'nowhere'.",
        "The mail has no title.",
    ]
    assert places(spring, tmp_path / "none.md") == [
        ("none.md", 1, "The file cannot be read (No such file or directory).")
    ]


def test_translations_belong_to_the_same_campaign_and_have_languages_of_their_own(
    spring: House, tmp_path: Path
) -> None:
    first = write_campaign(tmp_path)
    other = write_campaign(tmp_path, "de.md", subject="Frühling")
    edit(other, ("slug: spring", "slug: fruehling"), ("[calm, letters]", "calm"))
    assert places(spring, first, other) == [
        ("de.md", 2, "The slug is not that of spring.md."),
        ("de.md", 5, "The language en is also that of spring.md."),
        ("de.md", 6, "`lists` is not that of spring.md."),
    ]
    edit(other, ("fruehling", "spring"), ("language: en", "language: de"), ("lists: calm\n", ""))
    assert places(spring, first, other) == []


def test_a_block_makes_a_sender_of_the_campaigns_own_and_a_known_one_is_used_again(
    spring: House, tmp_path: Path
) -> None:
    def sender() -> str:
        with session_scope(spring.sessions) as session:
            draft(session, [path], spring.at)
            return session.get_one(Sender, get_campaign(session, SPRING).sender_id).slug

    path = write_campaign(tmp_path)
    assert sender() == "calm"  # that of the first list
    edit(path, ("disclaimer", f"{BLOCK}\ndisclaimer"))
    assert sender() == "campaign-spring"
    edit(path, ("The Other Room", "The Third Room"))
    assert sender() == "campaign-spring"
    edit(path, (BLOCK.replace("Other Room", "Third Room"), "sender: calm"))
    assert sender() == "calm"


def test_a_list_without_a_sender_asks_for_one(spring: House, tmp_path: Path) -> None:
    with session_scope(spring.sessions) as session:
        add_list(session, "bare", "Bare", OptIn.SINGLE)
    path = edit(write_campaign(tmp_path), ("[calm, letters]", "bare"))
    assert places(spring, path) == [
        ("spring.md", 1, "The list bare has no sender, and the campaign names none.")
    ]
    edit(path, ("disclaimer", f"{BLOCK}\ndisclaimer"))
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
        # which is then the list's own, too: its people can be asked to confirm
        assert get_list(session, "bare").sender_id == get_campaign(session, SPRING).sender_id


def test_its_pictures_are_published_and_no_others(spring: House, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    for name in ("dusk.png", "dawn.png"):
        (tmp_path / "media" / name).write_bytes(DUSK.read_bytes() + name.encode())
    path = write_campaign(tmp_path, body="![the street at dusk](media/dusk.png)")
    with session_scope(spring.sessions) as session:
        draft(session, [path], spring.at)
        assert session.execute(select(Media.content)).scalars().all() == [DUSK.read_bytes() + b"dusk.png"]


def test_one_that_was_sent_is_never_changed(spring: House, tmp_path: Path) -> None:
    with session_scope(spring.sessions) as session:
        session.execute(select(Campaign)).scalar_one().state = "finished"
    with pytest.raises(Refused, match="a campaign is sent once"), session_scope(spring.sessions) as session:
        draft(session, [write_campaign(tmp_path, body="Other words.")], spring.at)


def test_the_file_in_the_documentation_is_in_order(spring: House, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "campaigns.md").read_text(encoding="utf-8")
    path = tmp_path / "spring.md"
    path.write_text(page.partition("```markdown\n")[2].partition("```")[0], encoding="utf-8")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "neck.png").write_bytes(DUSK.read_bytes())
    assert places(spring, path) == []
    block = page.partition("```yaml\n")[2].partition("```")[0]
    text = path.read_text(encoding="utf-8")
    named = next(line for line in text.splitlines(keepends=True) if line.startswith("sender:"))
    path.write_text(text.replace(named, block), encoding="utf-8")
    assert places(spring, path) == []
