"""The mails on disk: in order, complete, readable by another process, and not without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.embedded.mailbox import store as store_module
from mailer.embedded.mailbox.selection import PAGE_SIZE, Selection
from mailer.embedded.mailbox.store import MailStore
from mailer.errors import NotFound

LESSON = b"Subject: Lesson one\r\nMessage-ID: <1@course.example>\r\n\r\nHello Ada,\r\n"


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mailbox")


def add(store: MailStore, to: str = "ada@reader.example", raw: bytes = LESSON) -> int:
    return store.add(raw, sender="hello@course.example", recipients=[to])


def test_an_empty_mailbox_has_no_mails(store: MailStore) -> None:
    assert store.messages() == []


def test_a_mail_is_kept_exactly_with_its_envelope(store: MailStore) -> None:
    number = add(store)
    (mail,) = store.messages()
    assert (mail.number, mail.subject, mail.message_id) == (number, "Lesson one", "<1@course.example>")
    assert (mail.sender, mail.recipients) == ("hello@course.example", ("ada@reader.example",))
    assert mail.size == len(LESSON)
    assert store.raw(number) == LESSON
    assert store.parsed(number)["Subject"] == "Lesson one"


def test_a_mail_cannot_pretend_another_envelope(store: MailStore) -> None:
    number = add(store, raw=b'X-Mailbox-Envelope: {"sender": "ben@reader.example"}\r\n' + LESSON)
    assert store.get(number).sender == "hello@course.example"


def test_numbers_go_on_after_a_restart(store: MailStore) -> None:
    assert [add(store), add(store)] == [1, 2]
    assert add(MailStore(store.folder)) == 3


def test_another_process_sees_what_arrives_and_what_is_cleared(store: MailStore) -> None:
    reader = MailStore(store.folder)
    add(store)
    assert [mail.number for mail in reader.messages()] == [1]
    add(store)
    assert [mail.number for mail in reader.messages()] == [1, 2]
    store.clear()
    assert reader.messages() == []


def test_only_the_newest_are_kept(store: MailStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEEP", 3)
    for _ in range(5):
        add(store)
    assert [mail.number for mail in store.messages()] == [3, 4, 5]


def test_a_mail_that_is_gone_is_not_found(store: MailStore) -> None:
    with pytest.raises(NotFound):
        store.get(7)
    with pytest.raises(NotFound):
        store.raw(7)


def test_a_file_put_there_by_hand_is_shown_and_other_files_are_not(store: MailStore) -> None:
    store.folder.mkdir()
    (store.folder / "000009.eml").write_bytes(LESSON)
    (store.folder / "000010.eml").write_bytes(b"X-Mailbox-Envelope: nonsense\r\n" + LESSON)
    (store.folder / "000011.partial").write_bytes(LESSON)
    (store.folder / "notes.txt").write_text("not a mail")
    assert [(mail.number, mail.sender) for mail in store.messages()] == [(9, ""), (10, "")]


def test_mails_are_selected_by_recipient_and_subject_newest_first(store: MailStore) -> None:
    for name in ("ada", "ben", "ada"):
        add(store, f"{name}@reader.example")
    add(store, "ada@reader.example", b"Subject: Week one\r\n\r\n")
    mails = store.messages()
    assert [mail.number for mail in Selection(to="ADA@", subject="lesson").of(mails)] == [3, 1]
    newer, older = Selection(to="ada").neighbours(mails, 3)
    assert newer
    assert newer.number == 4
    assert older
    assert older.number == 1


def test_a_selection_is_written_into_addresses_and_read_from_them() -> None:
    assert Selection(to="ada+x@", page=3).query() == "?to=ada%2Bx%40&page=3"
    assert Selection().query() == ""
    assert Selection.from_query({"page": "-4", "to": " ada "}) == Selection(to="ada")
    assert PAGE_SIZE == 50
