"""Transports: the relays that mail goes by, as those who run Steadypost see and change them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.delivery import roster
from mailer.delivery.one_mail import OneMail, transport_test
from mailer.delivery.warmup import WarmupPlan
from mailer.errors import Refused
from mailer.models import Period
from mailer.reports.transports import TransportView, transport_view
from mailer.sealing import Seal


@needs(Right.SEE)
def list_transports(session: Session, _: Actor, seal: Seal, default_url: str | None) -> list[TransportView]:
    """Every transport; `default_url` is the server of `default`."""
    return [transport_view(session, one, seal, default_url) for one in roster.list_transports(session)]


@needs(Right.SEE)
def page_transports(
    session: Session, _: Actor, seal: Seal, default_url: str | None, after: str, limit: int
) -> list[TransportView]:
    """For programs: transports by their slugs, those after the slug `after`."""
    rows = roster.transports_by_slug(session, after, limit)
    return [transport_view(session, one, seal, default_url) for one in rows]


@needs(Right.SEE)
def show_transport(
    session: Session, _: Actor, slug: str, seal: Seal, default_url: str | None
) -> TransportView:
    """One of them; raises NotFound."""
    return transport_view(session, roster.get_transport(session, slug), seal, default_url)


@needs(Right.RUN)
def add_transport(session: Session, actor: Actor, slug: str, url: str, connections: int, seal: Seal) -> None:
    """A relay that has been tried (`check_server`); no mail goes by it before a sender names it."""
    roster.add_transport(session, seal, slug, url, connections, actor.who)


@needs(Right.RUN)
def change_transport(
    session: Session, actor: Actor, slug: str, seal: Seal, url: str | None, conversations: int | None
) -> None:
    """Another URL (None: as it was), or another number of conversations; raises Refused."""
    transport = roster.get_transport(session, slug)
    roster.edit_transport(session, seal, transport, actor.who, url=url, conversations=conversations)


@needs(Right.RUN)
def remove_transport(session: Session, actor: Actor, slug: str) -> None:
    """Forget a relay that nobody uses; raises Refused."""
    roster.remove_transport(session, roster.get_transport(session, slug), actor.who)


@needs(Right.RUN)
def pause_transport(session: Session, actor: Actor, slug: str, reason: str) -> bool:
    """Send nothing by it until it is resumed; False when it was paused."""
    return roster.pause_transport(session, roster.get_transport(session, slug), reason, actor.who)


@needs(Right.RUN)
def resume_transport(session: Session, actor: Actor, slug: str) -> bool:
    """Send by it again, and at once by one that is out; False when there was nothing to resume."""
    return roster.resume_transport(session, roster.get_transport(session, slug), actor.who)


@needs(Right.RUN)
def limit_transport(session: Session, actor: Actor, slug: str, period: str, most: int, domain: str) -> str:
    """At most so many in a period, to a domain's provider or to all; 0 takes the limit away."""
    if period not in list(Period):
        raise Refused("A limit is for a minute, an hour or a day.")
    transport = roster.get_transport(session, slug)
    return roster.set_limit(session, transport, Period(period), most or None, domain, actor.who)


@needs(Right.RUN)
def warm_up(session: Session, actor: Actor, slug: str, plan: WarmupPlan | None) -> None:
    """Let a new relay begin slowly from today, or end that (None)."""
    roster.set_warmup(session, roster.get_transport(session, slug), plan, actor.who)


@needs(Right.RUN)
def write_test_mail(session: Session, actor: Actor, slug: str) -> OneMail:
    """A mail to the actor's own address by this transport; noted as sent."""
    transport = roster.get_transport(session, slug)
    me = get_operator(session, actor.operator_id or 0)
    users = roster.senders_by(session, transport)
    senders = roster.list_senders(session)
    names = users[0][0] if users else senders[0].slug if senders else None
    from_ = roster.get_sender(session, names).email if names else me.email
    record(session, actor, "mail test", 1, transport=slug)
    return transport_test(transport, from_=from_, to=me.email)
