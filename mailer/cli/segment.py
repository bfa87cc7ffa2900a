"""`steadypost segment`: saved rules, and who meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.audience.segments import (
    checked,
    get_segment,
    list_segments,
    look_at,
    remove_segment,
    rule_of,
    save_segment,
)
from mailer.cli.asking import Yes, ask_first
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say
from mailer.content.course_words import SLUG
from mailer.db import business_now
from mailer.errors import Refused
from mailer.rules import Rule, parse, sentence

app = typer.Typer(help="Segments: saved rules, asked whenever they are used.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RuleText = Annotated[str, typer.Option("--rule", help='Such as: tag "vip" and not on list "news".')]


@app.command("add")
def add(
    slug: str, rule: RuleText, title: Annotated[str, typer.Option(help="A name for people.")] = ""
) -> None:
    """Save a rule as a segment, or give a segment another rule."""
    if not SLUG.fullmatch(slug):
        raise Refused(f"{slug!r} is not a slug; use small letters, digits and hyphens, as in keen-readers.")
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        asked_again = save_segment(session, slug, rule, title, now).asked_again
        whole = rule_of(session, slug)
        people = look_at(session, whole, now, sample=0).people
    say(f"{slug}: who {sentence(parse(rule))}. {count(people, 'person', 'people')} now.")
    if asked_again:
        say(f"They were approved for others, and wait for that again: {', '.join(asked_again)}.")


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Show every segment with its rule as a sentence."""
    with connect() as connected, connected.session() as session:
        segments = [(one.slug, one.title, one.rule) for one in list_segments(session)]
    if as_json_:
        as_json([{"segment": slug, "title": title, "rule": rule} for slug, title, rule in segments])
        return
    rows = [(slug, title, f"who {sentence(parse(rule))}") for slug, title, rule in segments]
    empty = "No segments yet; `steadypost segment add SLUG --rule 'tag \"vip\"'` saves one."
    as_table(("segment", "title", "who is in it"), rows, empty)


@app.command("show")
def show(slug: str, as_json_: AsJson = False) -> None:
    """Show how many meet a segment's rule now, and the first few of them."""
    with connect() as connected, connected.session() as session:
        segment = get_segment(session, slug)
        text, title = segment.rule, segment.title
        looked = look_at(session, rule_of(session, slug), business_now(session))
    if as_json_:
        found = {"people": looked.people, "sample": looked.sample}
        as_json({"segment": slug, "title": title, "rule": text, **found})
        return
    say(f"{title or slug}: who {sentence(parse(text))}.")
    _print_look(looked.people, looked.sample)


@app.command("count")
def count_(slug: str, as_json_: AsJson = False) -> None:
    """Count who meets a segment's rule now."""
    with connect() as connected, connected.session() as session:
        people = look_at(session, rule_of(session, slug), business_now(session), sample=0).people
    if as_json_:
        as_json({"segment": slug, "people": people})
    else:
        say(f"{people:,}")


@app.command("check")
def check(rule: RuleText, as_json_: AsJson = False) -> None:
    """Try a rule without saving it: what it means, how many meet it, and the first few of them."""
    with connect() as connected, connected.session() as session:
        whole: Rule = checked(session, rule)
        looked = look_at(session, whole, business_now(session))
    if as_json_:
        means = sentence(parse(rule))
        as_json({"rule": rule, "means": means, "people": looked.people, "sample": looked.sample})
        return
    say(f"Who {sentence(parse(rule))}.")
    _print_look(looked.people, looked.sample)


@app.command("remove")
def remove(slug: str, yes: Yes = False) -> None:
    """Forget a segment. Nobody who is in it is touched."""
    with connect() as connected, connected.session() as session:
        get_segment(session, slug)
        ask_first(f"Forget the segment {slug}?", yes=yes)
        remove_segment(session, slug)
    say(f"{slug} is gone; the people in it are as they were.")


def _print_look(people: int, sample: tuple[str, ...]) -> None:
    say(f"{count(people, 'person meets', 'people meet')} it now.")
    for email in sample:
        say(f"  {email}")
    if people > len(sample) > 0:
        say(f"  and {people - len(sample):,} more")
