"""The approval of a campaign by a second person, and taking back the time of one that is scheduled."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.campaign_asking import MuchLarger, SameMessage, agree, to_whom
from mailer.cli.connect import Connected, connect
from mailer.cli.preflight import ask_about_campaign
from mailer.cli.show import say
from mailer.db import business_now
from mailer.launch.campaign import Approval, approve, look_at_scheduled, unschedule

Reason = Annotated[str, typer.Option(help="Why, for whoever looks next.")]


def approval_of(connected: Connected) -> Approval:
    """Whether the settings ask for a second person; at the machine nobody is an operator with a login."""
    return Approval(connected.settings.needs_approval)


def says_that_it_waits(connected: Connected, slug: str) -> bool:
    """Whether a campaign that was just scheduled waits for an approval, which is said."""
    if connected.settings.needs_approval:
        say(f"It waits for a second person: `steadypost campaign approve {slug}`, or the desk.")
    return connected.settings.needs_approval


def approve_campaign(
    slug: str, yes: Yes = False, much_larger: MuchLarger = False, same_message: SameMessage = False
) -> None:
    """Approve what somebody else has scheduled, so that it may leave. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            launch = look_at_scheduled(session, slug, business_now(session))
        agreed = agree(launch, much_larger=much_larger, same_message=same_message)
        ask_about_campaign(connected, slug, "Approve", yes=yes)
        ask_first(f"Approve {to_whom(launch)}", yes=yes)
        with connected.session() as session:
            now = business_now(session)
            approve(session, launch, now, who=operator(), operator_id=None, agreed=agreed)
    say(f"{slug} is approved; `steadypost campaign show {slug}` shows when it leaves.")


def unschedule_campaign(slug: str, reason: Reason = "") -> None:
    """Make a draft again of a campaign that is scheduled and has not begun; nothing is lost."""
    with connect() as connected, connected.session() as session:
        done = unschedule(session, slug, business_now(session), who=operator(), reason=reason.strip())
    say(f"{slug} is a draft again." if done else f"{slug} is a draft already.")
