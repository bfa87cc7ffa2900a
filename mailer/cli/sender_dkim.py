"""`steadypost sender dkim`: keys that sign a sender's mail."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.db import business_now
from mailer.delivery import roster, signing
from mailer.models import Action
from mailer.render.dkim import DkimAlgorithm, DnsRecord
from mailer.reports.transports import key_values
from mailer.sealing import Seal

app = typer.Typer(help="Keys that sign its mail (DKIM).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class KeyKind(StrEnum):
    RSA = "rsa"
    ED25519 = "ed25519"


ALGORITHMS = {KeyKind.RSA: DkimAlgorithm.RSA_SHA256, KeyKind.ED25519: DkimAlgorithm.ED25519_SHA256}


@app.command("new")
def new(
    sender: str,
    kind: Annotated[
        KeyKind, typer.Option(help="rsa is checked by everybody; ed25519 only beside it.")
    ] = KeyKind.RSA,
    selector: Annotated[str, typer.Option(help="The key's name in the DNS; made from the date.")] = "",
    domain: Annotated[str, typer.Option(help="Sign for this domain above the sender's own.")] = "",
    as_json_: AsJson = False,
) -> None:
    """Make a key and print its DNS record. It signs nothing before `dkim activate`."""
    with connect() as connected, connected.session() as session:
        who = roster.get_sender(session, sender)
        now = business_now(session)
        key = signing.new_key(
            *(session, who, Seal(connected.settings.secret_key), now),
            algorithm=ALGORITHMS[kind],
            selector=selector,
            domain=domain,
        )
        detail = {"sender": sender, "selector": key.selector, "domain": key.domain}
        session.add(Action(at=now, who=operator(), what="sender dkim new", detail=detail, rows=0))
        session.refresh(key)
        values, record = key_values(key, who), signing.record_of(key)
    if as_json_:
        as_json(values)
        return
    say("Publish this record in the DNS:")
    typer.echo(f"\n{zone_line(record)}\n")
    say(f"A form wants the name {record.name}, the type TXT, and the strings joined, without their quotes.")
    say("Signing begins when the record can be seen and you say:")
    say(f"    steadypost sender dkim activate {sender} {values['selector']}")


@app.command("list")
def list_(sender: str, as_json_: AsJson = False) -> None:
    """Show a sender's keys, and the DNS record of each that is not retired."""
    with connect() as connected, connected.session() as session:
        who = roster.get_sender(session, sender)
        found = [key_values(key, who) for key in signing.keys_to_show(session, who)]
    if as_json_:
        as_json(found)
        return
    as_table(
        ("selector", "domain", "algorithm", "state", "made (UTC)"),
        [
            (*(key[name] for name in ("selector", "domain", "algorithm", "state")), key["created_at"][:16])
            for key in found
        ],
        f"Its mail is not signed; `steadypost sender dkim new {sender}` makes a key.",
    )
    for key in found:
        if key["state"] != "retired":
            typer.echo(f"\n{zone_line(DnsRecord(key['dns_name'], key['dns_value']))}")


@app.command("activate")
def activate(
    sender: str,
    selector: str,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not look for the record first.")] = False,
) -> None:
    """Sign with a key from now on, once its record is in the DNS; one of the same kind is retired."""
    with connect() as connected:
        with connected.session() as session:
            record = signing.record_of(
                signing.find_key(session, roster.get_sender(session, sender), selector)
            )
        if not no_check:
            signing.check_published(record)
        with connected.session() as session:
            key = signing.find_key(session, roster.get_sender(session, sender), selector)
            replaced = [other.selector for other in signing.activate(session, key)]
            detail = {"sender": sender, "selector": selector, "is_checked": not no_check}
            now = business_now(session)
            session.add(Action(at=now, who=operator(), what="sender dkim activate", detail=detail, rows=0))
    say(f"Mail of {sender} is signed with {selector} from now on.")
    for other in replaced:
        say(f"{other} is retired; leave its DNS record in place for a week, for mail that is on its way.")


@app.command("retire")
def retire(sender: str, selector: str, yes: Yes = False) -> None:
    """Sign with a key no longer."""
    with connect() as connected:
        with connected.session() as session:
            signing.find_key(session, roster.get_sender(session, sender), selector)
        ask_first(f"Sign no more mail of {sender} with {selector}?", yes=yes)
        with connected.session() as session:
            who = roster.get_sender(session, sender)
            done = signing.retire(session, signing.find_key(session, who, selector))
            left = [
                key for key in signing.keys_to_show(session, who) if key_values(key, who)["state"] == "signs"
            ]
            detail = {"sender": sender, "selector": selector}
            now = business_now(session)
            session.add(Action(at=now, who=operator(), what="sender dkim retire", detail=detail, rows=0))
    if not done:
        say(f"{selector} was retired before.")
        return
    say(f"{selector} is retired; leave its DNS record in place for a week, for mail that is on its way.")
    if not left:
        say(f"Mail of {sender} is not signed now; `steadypost sender dkim new {sender}` makes a key.")


def zone_line(record: DnsRecord) -> str:
    """The record as a line of a zone file, in strings of 255 bytes at most."""
    strings = " ".join(f'"{part}"' for part in record.strings)
    return f"{record.name}. 3600 IN TXT ( {strings} )"
