"""What the guard makes of the signs: whose database it is, in which state, and how long it was silent."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from mailer.delivery.guard import RESTORED, Signs, trouble, words
from mailer.delivery.installation import Installation, Mark
from mailer.errors import BadSetting
from mailer.models import HoldCause

HOLD_AFTER = timedelta(hours=6)
OURS, THEIRS = b"ours", b"theirs"


def signs(**changes: object) -> Signs:
    """All is well: our token, the fence that was noted last, a sign of life a few seconds ago."""
    well: dict[str, object] = {
        "adopted": OURS,
        "own": OURS,
        "fence": 7,
        "known_fence": 7,
        "silence": timedelta(seconds=4),
    }
    return Signs(**(well | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (signs(), None),
        (signs(known_fence=5), None),  # a mark that could not be noted
        (signs(silence=timedelta(hours=6)), None),
        (signs(silence=timedelta(hours=7)), HoldCause.OUTAGE),
        (signs(adopted=THEIRS), HoldCause.FENCE),  # a copy on another machine
        (signs(adopted=RESTORED), HoldCause.FENCE),
        (signs(adopted=None), HoldCause.FENCE),  # nobody has looked yet
        (signs(own=None), HoldCause.FENCE),  # a worker that knows nothing of it
        (signs(fence=6), HoldCause.FENCE),  # set back on the same machine
        (signs(fence=6, silence=timedelta(hours=7)), HoldCause.FENCE),
        (signs(known_fence=None, silence=timedelta(minutes=14)), None),  # a new container, the same token
        (signs(known_fence=None, silence=timedelta(minutes=16)), HoldCause.FENCE),
        (signs(is_at_home=False), HoldCause.FENCE),  # the data folder was copied along
        (signs(silence=timedelta(minutes=-59)), None),
        (signs(silence=timedelta(minutes=-61)), HoldCause.FENCE),
        (signs(known_fence=None, silence=None), None),
    ],
)
def test_what_the_signs_mean(found: Signs, cause: HoldCause | None) -> None:
    told = trouble(found, HOLD_AFTER)
    assert (told.cause if told else None) == cause


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        (timedelta(minutes=20), "20 minutes"),
        (timedelta(hours=7), "7 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=7), "7 days"),
    ],
)
def test_a_silence_is_told_as_people_say_it(silence: timedelta, told: str) -> None:
    assert words(silence) == told


def test_the_token_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    here = Installation(tmp_path / "data")
    assert here.token_hash() is None
    made = here.make_token()
    assert made == here.token_hash() == Installation(tmp_path / "data").make_token()
    assert (tmp_path / "data" / "instance" / "token").stat().st_mode & 0o777 == 0o600
    assert Installation(tmp_path / "elsewhere").make_token() != made


def test_a_token_that_is_set_counts_before_the_one_that_is_kept(tmp_path: Path) -> None:
    kept = Installation(tmp_path).make_token()
    given = Installation(tmp_path, "a token that was set by somebody")
    assert given.token_hash() == given.make_token() != kept


def test_an_emptied_token_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    Installation(tmp_path).make_token()
    (tmp_path / "instance" / "token").write_text("")
    with pytest.raises(BadSetting, match="remove it, or set STEADYPOST_INSTANCE_TOKEN"):
        Installation(tmp_path).make_token()


def test_what_was_noted_is_known_and_a_damaged_note_is_no_note(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    assert here.known() is None
    mark = Mark(uuid4(), 12)
    here.note(mark)
    here.note(None)
    assert here.known() == mark
    shutil.copytree(tmp_path / "instance", tmp_path / "copy" / "instance")
    copied = Installation(tmp_path / "copy").known()
    assert copied == Mark(mark.database_id, 12, is_at_home=False)
    (tmp_path / "instance" / "fence").write_text("{")
    assert here.known() is None
