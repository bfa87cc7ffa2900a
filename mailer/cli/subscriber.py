"""`steadypost subscriber`: people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field, declared_fields, typed_fields
from mailer.audience.importing import ImportOrder
from mailer.audience.lists import Evidence, get_list, shown_slug
from mailer.audience.subscribers import Person
from mailer.audience.suppression import LIFTED_BY_CONFIRMING, find_suppression
from mailer.cli.connect import connect
from mailer.cli.importing import as_values, print_report, watched
from mailer.cli.show import as_json, as_table, say
from mailer.cli.subscriber_data import erase, export
from mailer.cli.subscriber_pace import pace_
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import FieldType, SubscriptionState
from mailer.reports.not_taken import NotTakenFile
from mailer.reports.person import describe_person
from mailer.schedule.importing import import_to_list
from mailer.schedule.moving import add_person
from mailer.schedule.signup import sign_up

app = typer.Typer(help="People: add, import, look up, export, erase.", no_args_is_help=True)
app.command("pace")(pace_)
app.command("export")(export)
app.command("erase")(erase)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget what a run that was stopped has read.")
    ] = False,
    as_json_: AsJson = False,
) -> None:
    """Add everybody in a CSV file to a list. Importing the same file again changes nothing.

    It may be stopped at any moment, also by a power cut: the same command goes on where it was.
    """
    _refuse_empty(consent)
    not_taken = NotTakenFile(refused_to, file)
    with connect() as connected, watched(is_quiet=as_json_) as tell:
        evidence = Evidence(_storable(consent), source=f"import of {_storable(file.name)}")
        with connected.session() as session:
            now = business_now(session)
            order = ImportOrder.to(
                get_list(session, list_), file, evidence, is_confirmed=confirmed, encoding=encoding
            )
        report = import_to_list(
            connected.session, order, now, restart=restart, tell=tell, keep=not_taken.keep
        )
    if as_json_:
        as_json(as_values(report))
    else:
        print_report(_storable(file.name), report, _storable(str(refused_to)) if refused_to else None)


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
    consents = [(kind, shown_slug(slug), *rest) for kind, slug, *rest in person.consents]
    for columns, rows, empty in (
        (
            ("list", "state", "since"),
            [(shown_slug(slug), *rest) for slug, *rest in person.lists],
            "On no list.",
        ),
        (("consent", "list", "when", "by", "words"), consents, "No consent is on record."),
        (("course", "state", "day", "next mail", "why it ended"), person.courses, "In no course."),
        (("mail", "due", "state", "reason"), person.mails, "No mail yet."),
    ):
        say("")
        as_table(columns, rows, empty)


def _add(session: Session, person: Person, list_: str | None, consent: str) -> str:
    """Add a person, to a list if one is named; returns the sentence that tells what follows."""
    if list_ is None:
        add_person(session, person, business_now(session))
        return f"{person.email} is known here; no list, so no mail."
    evidence = Evidence(wording=consent, source="command line")
    now = business_now(session)
    subscription = sign_up(session, person, get_list(session, list_), evidence, now)
    stopped = find_suppression(session, person.email, now)
    is_asked = subscription.state == SubscriptionState.PENDING
    if stopped is not None and not (is_asked and stopped.reason in LIFTED_BY_CONFIRMING):
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
