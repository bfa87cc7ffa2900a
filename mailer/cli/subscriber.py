"""`steadypost subscriber`: people."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field, declared_fields, typed_fields
from mailer.audience.importing import ImportReport, RefusedRow
from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person, add_subscriber
from mailer.audience.suppression import find_suppression
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, console, count, say
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import FieldType, SubscriptionState, SuppressionReason
from mailer.reports.person import describe_person
from mailer.schedule.signup import import_to_list, sign_up

app = typer.Typer(help="People: add, import, look up.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SHOWN_ROWS = 20


@app.command("add")
def add(
    email: str,
    list_: Annotated[str | None, typer.Option("--list", help="The list to put them on.")] = None,
    consent: Annotated[str, typer.Option(help="The words they agreed to.")] = "",
    name: Annotated[str, typer.Option(help="Their name.")] = "",
    language: Annotated[str | None, typer.Option(help="Such as en, de or pt-BR.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA time zone, such as Europe/Lisbon.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given more than once.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="A custom field as key=value.")] = None,
) -> None:
    """Add somebody, or complete what is known of them; with --list, put them on a list."""
    if list_ is not None:
        _refuse_empty(consent)
    elif consent:
        raise Refused("Say with --list which list the words of --consent are about.")
    with connect() as connected, connected.session() as session:
        values = dict(_key_and_value(item) for item in field or [])
        person = Person(
            email=email,
            name=name,
            language=language,
            zone=zone,
            tags=tuple(tag or ()),
            fields=typed_fields(values, declared_fields(session)),
        ).checked()
        said = _add(session, person, list_, _storable(consent))
    say(said)


@app.command("import")
def import_(
    file: Path,
    list_: Annotated[str, typer.Option("--list", help="The list to put them on.")],
    consent: Annotated[str, typer.Option(help="Where and in which words these people agreed.")],
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="They have confirmed elsewhere; do not ask again.")
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(help="The file's encoding, such as cp1250, when it cannot be told.")
    ] = None,
    refused_to: Annotated[
        Path | None, typer.Option("--refused-to", help="Write the rows that were not taken to this CSV file.")
    ] = None,
    as_json_: AsJson = False,
) -> None:
    """Add everybody in a CSV file to a list. Importing the same file again changes nothing."""
    _refuse_empty(consent)
    if refused_to is not None and refused_to.resolve() == file.resolve():
        raise Refused("--refused-to names the file that is imported; name another one.")
    with connect() as connected, _status(as_json_), connected.session() as session:
        evidence = Evidence(_storable(consent), source=f"import of {_storable(file.name)}")
        report = import_to_list(
            session,
            file,
            get_list(session, list_),
            evidence,
            business_now(session),
            is_confirmed=confirmed,
            encoding=encoding,
        )
        # Before the commit: without this file, half of what was asked would be done.
        if refused_to is not None:
            _write_not_taken(refused_to, report)
    if as_json_:
        as_json({**asdict(report), "pending": len(report.pending)})
    else:
        _print_report(file, report, refused_to)


@app.command("field")
def field_(
    key: str,
    type_: Annotated[FieldType, typer.Option("--type", help="What its values are.")] = FieldType.TEXT,
) -> None:
    """Declare a custom field, to be filled by `add --field` and by columns of that name."""
    with connect() as connected, connected.session() as session:
        declare_field(session, key, type_)
    say(f"Subscribers can have the field {key} ({type_}).")


@app.command("show")
def show(email: str, as_json_: AsJson = False) -> None:
    """Show what is known of somebody: their lists with the evidence, their courses, their mails."""
    with connect() as connected, connected.session() as session:
        person = describe_person(session, email)
    if as_json_:
        as_json(person.as_values())
        return
    say(f"{person.email}  {person.name}  language {person.language or '-'}  zone {person.zone or '-'}")
    if person.tags:
        say(f"tags {', '.join(person.tags)}")
    for key, value in person.fields.items():
        say(f"{key} = {value}")
    if person.suppressed:
        say(f"This address is not mailed: {person.suppressed}.")
    for columns, rows, empty in (
        (("list", "state", "since"), person.lists, "On no list."),
        (("consent", "list", "when", "by", "words"), person.consents, "No consent is on record."),
        (("course", "state", "day", "next mail", "why it ended"), person.courses, "In no course."),
        (("mail", "due", "state", "reason"), person.mails, "No mail yet."),
    ):
        say("")
        as_table(columns, rows, empty)


def _add(session: Session, person: Person, list_: str | None, consent: str) -> str:
    """Add a person, to a list if one is named; returns the sentence that tells what follows."""
    if list_ is None:
        add_subscriber(session, person)
        return f"{person.email} is known here; no list, so no mail."
    evidence = Evidence(wording=consent, source="command line")
    subscription = sign_up(session, person, get_list(session, list_), evidence, business_now(session))
    stopped = find_suppression(session, person.email)
    if stopped is not None and stopped.reason != SuppressionReason.EVERYTHING:
        why = f"{stopped.reason} on {stopped.at:%Y-%m-%d}"
        return f"{person.email} is on record for the list {list_}, but the address is not mailed: {why}."
    if subscription.state == SubscriptionState.PENDING:
        return f"{person.email} gets a mail to confirm, and is on the list {list_} after that."
    return f"{person.email} is on the list {list_}."


def _key_and_value(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals:
        raise Refused(f"{item!r} is not a field; write --field key=value.")
    return key.strip(), value


def _storable(text: str) -> str:
    """Text from the command line or a file's name, which need not be UTF-8, as it can be kept and printed."""
    return text.encode(errors="replace").decode()


def _refuse_empty(consent: str) -> None:
    if not consent.strip():
        raise Refused("Say with --consent which words these people agreed to; they are kept as evidence.")


def _status(as_json_: bool) -> AbstractContextManager[object]:
    return nullcontext() if as_json_ else console.status("Reading and adding…")


def _write_not_taken(path: Path, report: ImportReport) -> None:
    """The rows that were refused, and people who stay away, in the order of the file."""
    not_taken = sorted((*report.refused, *report.kept_away), key=lambda row: row.line)
    try:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["line", "email", "reason"])
            writer.writerows([row.line, _no_formula(row.value), _no_formula(row.reason)] for row in not_taken)
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}); nothing was imported.") from None


def _no_formula(cell: str) -> str:
    """A cell that a spreadsheet shows and does not run (OWASP: CSV injection)."""
    return (
        f"'{cell}"
        if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        else cell
    )


def _print_report(file: Path, report: ImportReport, refused_to: Path | None) -> None:
    delimiter = "tabs" if report.delimiter == "\t" else report.delimiter
    say(f"{_storable(file.name)}: {count(report.rows, 'row')}, read as {report.encoding} with {delimiter}")
    if report.guess is not None:
        line, text = report.guess
        say(f"  the encoding is a guess: see whether line {line} is right: {text}  (else give --encoding)")
    if not report.has_header:
        say("  no header: only the column of addresses was used")
    say(f"  {report.new_people:,} new people, {report.known_people:,} known ones")
    say(f"  {report.joined:,} joined the list, {report.already_on_list:,} were on it")
    for number, what in (
        (len(report.pending), "of the new ones get a mail to confirm"),
        (report.unconfirmed, "have been asked before and have not confirmed"),
        (report.repeated, "rows were about somebody named in another row"),
        (report.left_before, "left before and stay away"),
        (report.suppressed, "have an address that is not mailed, and were not put on the list"),
    ):
        if number:
            say(f"  {number:,} {what}")
    if report.ignored_columns:
        say(f"  columns not used: {', '.join(report.ignored_columns)} (declare them with `subscriber field`)")
    _print_rows("refused", report.refused)
    _print_rows("kept away", report.kept_away)
    if refused_to is not None:
        say(f"  {_storable(str(refused_to))} lists every row that was not taken")
    elif max(len(report.refused), len(report.kept_away)) > SHOWN_ROWS:
        say("  --refused-to FILE.csv writes them all")


def _print_rows(what: str, rows: Sequence[RefusedRow]) -> None:
    if rows:
        say(f"  {count(len(rows), 'row')} {what}:")
    for row in rows[:SHOWN_ROWS]:
        # A refused address is in its reason already.
        address = "" if row.value in row.reason else f"{row.value}: "
        say(f"    line {row.line}: {address}{row.reason}")
    if len(rows) > SHOWN_ROWS:
        say(f"    … and {len(rows) - SHOWN_ROWS:,} more")
