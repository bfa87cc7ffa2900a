"""Importing people: every row is taken or named, twice changes nothing, and who left stays away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field
from mailer.audience.importing import ImportOrder, ImportReport
from mailer.audience.lists import Evidence, add_list, get_list
from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import suppress
from mailer.db import Sessions, session_scope
from mailer.errors import Refused
from mailer.feedback.record import confirm_subscription, leave
from mailer.models import (
    Consent,
    Delivery,
    DeliveryKind,
    FieldType,
    OptIn,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)
from mailer.schedule.importing import import_to_list
from tests.support.cast import ADA, BEN, CLEO, join, publish_folder, subscription_of, write_course

EVIDENCE = Evidence("They ticked the box at the fair.", "import of fair.csv")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def lists(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    """The list "calm" asks people to confirm; "letters" does not."""
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm", opt_in="double"), now)
        add_list(session, "letters", "Letters", OptIn.SINGLE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fair.csv"


def bring_in(
    session: Session, file: Path, text: str, now: datetime, list_: str = "calm", *, confirmed: bool = False
) -> ImportReport:
    file.write_text(text, encoding="utf-8")
    return bring_in_file(session, file, now, list_, confirmed=confirmed)


def bring_in_file(
    session: Session, file: Path, now: datetime, list_: str = "calm", *, confirmed: bool = False
) -> ImportReport:
    """The whole import in the test's own transaction."""
    order = ImportOrder.to(get_list(session, list_), file, EVIDENCE, is_confirmed=confirmed)

    @contextmanager
    def savepoint() -> Iterator[Session]:
        with session.begin_nested():
            yield session

    return import_to_list(savepoint, order, now, workers=1)


def confirmation_mails(session: Session) -> int:
    return session.scalar(select(func.count()).where(Delivery.kind == DeliveryKind.CONFIRM)) or 0


def test_a_sheet_of_people_with_all_that_is_known_of_them(
    session: Session, file: Path, now: datetime
) -> None:
    declare_field(session, "height", FieldType.NUMBER)
    declare_field(session, "born", FieldType.DATE)
    text = (
        "E-Mail;Vorname;Nachname;Sprache;Zeitzone;Tags;Height;Born;Shoe size\r\n"
        "Ada@Reader.Example;Ada;Lovelace;DE;Europe/Berlin;VIP, spring;1,65;10.12.1815;38\r\n"
    )
    report = bring_in(session, file, text, now)
    ada = get_subscriber(session, ADA)
    assert (ada.email, ada.name, ada.language, ada.zone) == (
        "Ada@reader.example",
        "Ada Lovelace",
        "de",
        "Europe/Berlin",
    )
    assert ada.tags == ["spring", "vip"]
    assert ada.fields == {"height": 1.65, "born": "1815-12-10"}
    assert report.ignored_columns == ("shoe_size",)
    consent = session.scalars(select(Consent)).one()
    assert (consent.kind, consent.wording, consent.source, consent.at) == (
        "asked",
        "They ticked the box at the fair.",
        "import of fair.csv",
        now,
    )


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("email,Name,Vorname", "Lovelace,Ada", "Ada Lovelace"),
        ("email,Nombre,Apellidos", "Ada,Lovelace", "Ada Lovelace"),
        ("email,Name,First name,Last name", "Ada Lovelace,Ada,Lovelace", "Ada Lovelace"),
        ("email,Nom,Prénom", "Lovelace,Ada", "Ada Lovelace"),
        ("email,First name", "Ada", "Ada"),
    ],
)
def test_a_name_is_put_together_from_its_columns(
    session: Session, file: Path, now: datetime, header: str, row: str, name: str
) -> None:
    bring_in(session, file, f"{header}\n{ADA},{row}\n", now)
    assert get_subscriber(session, ADA).name == name


def test_a_bad_row_is_refused_with_its_line_and_reason_and_the_others_are_taken(
    session: Session, file: Path, now: datetime
) -> None:
    declare_field(session, "height", FieldType.NUMBER)
    text = (
        "email,name,language,zone,height\n"
        "ada@reader.example,Ada,en,Europe/London,165\n"
        "not an address,,,,\n"
        "b@reader.example,B,,Europe/Nowhere,\n"
        "c@reader.example,C,Klingon,,\n"
        'd@reader.example,"D\nD",,,tall\n'
        ",Nobody,,,\n"
        "e@reader.example,E,,,,x\n"
        'f@reader.example,"F" F,,,\n'
    )
    report = bring_in(session, file, text, now)
    assert (report.rows, report.new_people, report.joined) == (8, 1, 1)
    assert {row.line: row.reason for row in report.refused} == {
        3: "'not an address' is not an email address; write it as name@domain.",
        4: "'Europe/Nowhere': This is not a time zone of the IANA list; write one such as Europe/Lisbon.",
        5: "'Klingon' is not a language; write a tag such as en, de or pt-BR.",
        6: (
            "field height, 'tall' is not a number value. "
            "Write numbers as 12.5, dates as 2026-03-31, and yes or no in words."
        ),
        8: "There is no email address here; write one as name@domain.",
        9: "it has 6 cells for 5 columns; quote a value with , in it",
        10: "a quotation mark is not closed, or not doubled inside text",
    }
    assert [row.value for row in report.refused][:2] == ["not an address", "b@reader.example"]


def test_the_same_file_again_changes_nothing_and_asks_nobody_twice(
    session: Session, file: Path, now: datetime
) -> None:
    text = f"email,name,tags\n{ADA},Ada,x\n{BEN},Ben,y\n"
    first = bring_in(session, file, text, now)
    assert (first.new_people, first.joined, first.asked, confirmation_mails(session)) == (2, 2, 2, 2)
    before = session.execute(select(Subscriber.__table__)).all()
    second = bring_in(session, file, text, now + DAY)
    assert (second.new_people, second.known_people, second.joined, second.already_on_list) == (0, 2, 0, 2)
    assert second.unconfirmed == 2
    assert confirmation_mails(session) == 2
    assert session.scalar(select(func.count()).select_from(Consent)) == 2
    assert session.execute(select(Subscriber.__table__)).all() == before


def test_of_somebody_named_twice_all_is_kept_and_the_later_word_counts(
    session: Session, file: Path, now: datetime
) -> None:
    declare_field(session, "a", FieldType.TEXT)
    declare_field(session, "b", FieldType.TEXT)
    text = (
        "email,name,zone,tags,a,b\n"
        f"{ADA},Ada L,Europe/Berlin,x,1,1\n"
        f"{BEN},Ben,,,,\n"
        f"{ADA.upper()},Ada Lovelace,,y,2,\n"
    )
    report = bring_in(session, file, text, now)
    assert (report.people, report.repeated, confirmation_mails(session)) == (2, 1, 2)
    ada = get_subscriber(session, ADA)
    assert (ada.name, ada.zone, ada.tags) == ("Ada Lovelace", "Europe/Berlin", ["x", "y"])
    assert ada.fields == {"a": "2", "b": "1"}


def test_an_empty_cell_takes_nothing_away(session: Session, file: Path, now: datetime) -> None:
    bring_in(session, file, f"email,name,zone,tags\n{ADA},Ada,Europe/Berlin,x\n", now)
    bring_in(session, file, f"email,name,zone,tags\n{ADA},,,\n", now)
    ada = get_subscriber(session, ADA)
    assert (ada.name, ada.zone, ada.tags) == ("Ada", "Europe/Berlin", ["x"])


def test_people_confirmed_elsewhere_are_on_the_list_at_once(
    session: Session, file: Path, now: datetime
) -> None:
    report = bring_in(session, file, f"email\n{ADA}\n", now, confirmed=True)
    assert (report.joined, report.asked, confirmation_mails(session)) == (1, 0, 0)
    assert subscription_of(session, get_subscriber(session, ADA)).state == "active"
    assert session.scalars(select(Consent.kind)).all() == ["given"]


def test_a_single_opt_in_list_asks_nobody(session: Session, file: Path, now: datetime) -> None:
    assert bring_in(session, file, f"email\n{ADA}\n", now, "letters").asked == 0
    assert confirmation_mails(session) == 0


def test_ben_who_left_stays_away(session: Session, file: Path, now: datetime) -> None:
    ben = join(session, BEN, now, list_="letters")
    leave(session, ben.id, get_list(session, "letters").id, source="page", now=now)
    report = bring_in(
        session, file, f"email,name\n{ADA},\n{BEN},Benjamin\n", now + DAY, "letters", confirmed=True
    )
    assert (report.joined, report.left_before, report.already_on_list) == (1, 1, 0)
    assert subscription_of(session, ben).state == "ended"
    (kept,) = report.kept_away
    assert (kept.line, kept.value, kept.reason) == (3, BEN, "left the list on 2026-03-02 and stays away")


def test_who_left_everything_is_not_put_on_another_list_and_not_asked(
    session: Session, file: Path, now: datetime
) -> None:
    ben = join(session, BEN, now, list_="letters")
    leave(session, ben.id, None, source="page", now=now)
    report = bring_in(session, file, f"email\n{BEN}\n", now)
    assert (report.joined, report.left_before, report.suppressed) == (0, 1, 0)
    assert report.kept_away[0].reason == "left everything on 2026-03-02 and stays away"
    assert confirmation_mails(session) == 0


def test_an_address_that_bounced_is_known_but_not_put_on_the_list_until_it_may_be_mailed(
    session: Session, file: Path, now: datetime
) -> None:
    suppress(session, CLEO, SuppressionReason.HARD_BOUNCE, now)
    text = f"email,name\n{CLEO.upper()},Cleo\n"
    report = bring_in(session, file, text, now)
    assert (report.new_people, report.joined, report.suppressed) == (1, 0, 1)
    assert report.kept_away[0].reason == "the address is not mailed: hard-bounce on 2026-03-02"
    assert session.scalars(select(Subscription)).all() == []
    session.execute(delete(Suppression))
    assert bring_in(session, file, text, now).asked == 1


def test_a_row_cannot_confirm_for_somebody_who_has_been_asked(
    session: Session, file: Path, now: datetime
) -> None:
    bring_in(session, file, f"email\n{ADA}\n", now)
    pending = session.scalars(select(Subscription.id)).one()
    report = bring_in(session, file, f"email\n{ADA}\n", now, confirmed=True)
    assert (report.already_on_list, report.unconfirmed) == (1, 1)
    assert confirm_subscription(session, pending, "page", now).is_new


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("email,E-Mail\nada@reader.example,x\n", "two columns that mean `email`"),
        ("email,height,Height\nada@reader.example,1,2\n", "two columns that mean `height`"),
        (
            'email,name\nada@reader.example,Ada\nben@reader.example,"Ben\ncleo@reader.example,Cleo\n',
            "on line 3",
        ),
    ],
)
def test_a_broken_file_leaves_nothing_behind(
    session: Session, sessions: Sessions, file: Path, now: datetime, text: str, sentence: str
) -> None:
    declare_field(session, "height", FieldType.NUMBER)
    session.commit()
    with session_scope(sessions) as importing, pytest.raises(Refused, match=sentence):
        bring_in(importing, file, text, now)
    assert session.scalars(select(Subscriber)).all() == []
    assert session.scalars(sql("SELECT id FROM imports")).all() == []
    assert session.scalars(sql("SELECT relname FROM pg_class WHERE relname ~ '^import_[0-9]'")).all() == []


def test_a_column_that_is_not_used_may_come_twice(session: Session, file: Path, now: datetime) -> None:
    assert bring_in(session, file, f"email,note,note,\n{ADA},x,y,z\n", now).ignored_columns == (
        "note",
        "note",
    )


def test_a_guessed_encoding_is_shown_by_the_first_row_it_decides(
    session: Session, file: Path, now: datetime
) -> None:
    file.write_bytes(f"email;name\n{ADA};Ada\n{BEN};Jürgen Müller\n".encode("cp1252"))
    report = bring_in_file(session, file, now)
    assert (report.encoding, report.delimiter, report.guess) == ("cp1252", ";", (3, "Jürgen Müller"))
    assert get_subscriber(session, BEN).name == "Jürgen Müller"


def test_a_list_without_a_sender_is_told_before_anything_is_read(
    session: Session, file: Path, now: datetime
) -> None:
    add_list(session, "new", "New", OptIn.DOUBLE)
    with pytest.raises(Refused, match="has no sender yet"):
        bring_in(session, file, "not even a sheet", now, "new")


def test_a_field_cannot_take_the_name_of_a_column_with_a_meaning(session: Session) -> None:
    for key in ("email", "vorname", "tz"):
        with pytest.raises(Refused, match="choose another name"):
            declare_field(session, key, FieldType.TEXT)
    declare_field(session, "height", FieldType.NUMBER)
    declare_field(session, "height", FieldType.NUMBER)
    with pytest.raises(Refused, match="of type number already"):
        declare_field(session, "height", FieldType.TEXT)


def test_ten_thousand_people_take_seconds_not_minutes(session: Session, file: Path, now: datetime) -> None:
    rows = "".join(
        f"reader{number}@house{number % 500}.example,Reader {number}\n" for number in range(10_000)
    )
    report = bring_in(session, file, "email,name\n" + rows, now)
    assert (report.new_people, report.asked, confirmation_mails(session)) == (10_000, 10_000, 10_000)
    assert bring_in(session, file, "email,name\n" + rows, now).joined == 0
