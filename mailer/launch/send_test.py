"""A test mail: a published step or a campaign, to an address of the author's, outside every count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.audience.recipients import list_ids_of
from mailer.audience.subscribers import get_subscriber
from mailer.clock import real_now
from mailer.content.trial import Trial
from mailer.delivery.claim import Claimed, read_setting
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts
from mailer.delivery.roster import get_transport, transports_of
from mailer.delivery.signing import Keyring
from mailer.delivery.transports.base import Email
from mailer.delivery.ways import DEFAULT
from mailer.errors import Refused
from mailer.links import Signer
from mailer.models import (
    Action,
    BreakerState,
    Campaign,
    Course,
    DeliveryKind,
    Lane,
    Sender,
    Step,
    Subscriber,
    Transport,
)
from mailer.outbox import campaign_source
from mailer.schedule.place import StepPlan

TEST_DELIVERY = 0
"""The id in a test mail's links. Their pages say that it was a test, and change nothing."""


TESTED, STEP_TESTED = "campaign test", "course test"
"""What the audit log calls test mails that were sent on the desk."""
MOST_TESTS = 5
TESTS_AN_HOUR = 50
"""So many test mails somebody may send: enough for every try, and too few to be a campaign."""


def refuse_many(session: Session, who: str, to: Sequence[str], now: datetime) -> None:
    """Raises Refused when a test goes to nobody, or to more addresses than somebody may send tests to."""
    if not to:
        raise Refused("Name the address that the test goes to.")
    if len(to) > MOST_TESTS:
        raise Refused(f"A test goes to {MOST_TESTS} addresses at most.")
    noted = select(func.coalesce(func.sum(Action.rows), 0)).where(
        Action.who == who,
        Action.what.in_((TESTED, STEP_TESTED)),
        Action.at >= now - timedelta(hours=1),
    )
    sent = int(session.execute(noted).scalar_one())
    if sent + len(to) > TESTS_AN_HOUR:
        raise Refused(f"You sent {sent} test mails in an hour; {TESTS_AN_HOUR} are the most. Wait a while.")


def compose_test(
    session: Session,
    course: Course,
    step_key: str,
    *,
    to: str,
    as_email: str | None,
    signer: Signer,
    base_url: str,
    now: datetime,
    keyring: Keyring | None = None,
) -> Email:
    """The step as `as_email` would get it (or as a sample reader), addressed to `to`.

    Raises Refused for an unknown step, NotFound for an unknown person, BadAddress, CannotRender.
    """
    row = as_claimed(session, course, step_key, _reader(session, as_email), now)
    return _compose(session, row, to, signer, base_url, now, keyring)


def compose_campaign_test(
    session: Session,
    campaign: Campaign,
    *,
    to: str,
    as_email: str | None,
    language: str | None,
    signer: Signer,
    base_url: str,
    now: datetime,
    keyring: Keyring | None = None,
    variant: str | None = None,
) -> Email:
    """The campaign as `as_email` would get it (or as a sample reader), addressed to `to`.

    In `language`, or else in the reader's nearest; of a campaign with variants A, or the `variant`. Raises
    Refused for a language that it is not written in or a variant that it has not, NotFound for an unknown
    person, BadAddress, CannotRender.
    """
    person = _reader(session, as_email)
    if language is not None and language not in campaign.messages:
        raise Refused(f"{campaign.slug} is written in {', '.join(campaign.messages)}, not in {language!r}.")
    messages = _messages_of(campaign, variant)
    chosen = language or nearest(person.language, campaign.messages, campaign.language)
    lists = list_ids_of(session, campaign.list_ids)
    if not lists:
        raise Refused("There is no list yet, and a mail says by which list it came; `steadypost list add`.")
    row = _claimed(person, now)._replace(
        kind=DeliveryKind.CAMPAIGN,
        lane=Lane.CAMPAIGN,
        list_id=lists[0],
        message_id=messages[chosen],
        source=campaign_source(campaign.id),
    )
    return _compose(session, row, to, signer, base_url, now, keyring)


def _messages_of(campaign: Campaign, variant: str | None) -> Mapping[str, int]:
    """The messages of this variant by their languages; raises Refused when there is none."""
    if variant is None:
        return campaign.messages
    trial = Trial.of(campaign.trial)
    found = trial.get(variant) if trial else None
    if found is None:
        letters = ", ".join(one.letter for one in trial.variants) if trial else "none"
        raise Refused(f"{campaign.slug} has no variant {variant!r}; there are {letters}.")
    return found.messages


def nearest(language: str | None, written: Collection[str], otherwise: str) -> str:
    """Which of the `written` languages serves a reader's: de-AT is served by de-AT, or else by de."""
    own = (language or "").lower()
    fitting = [tag for tag in written if own == tag.lower() or own.startswith(f"{tag.lower()}-")]
    return max(fitting, key=len, default=otherwise)


def _reader(session: Session, as_email: str | None) -> Subscriber:
    if as_email:
        return get_subscriber(session, as_email)
    return Subscriber(name="Ada", language=None, zone=None)


def _compose(
    session: Session,
    row: Claimed,
    to: str,
    signer: Signer,
    base_url: str,
    now: datetime,
    keyring: Keyring | None,
) -> Email:
    row = row._replace(email=normalise(to)[0])
    setting = read_setting(session, [row])
    keys = keyring.keys_of(session, setting.senders.values()) if keyring else {}
    composer = Composer(signer, base_url, setting, course_facts(session, [row]), keys)
    return composer.compose(row, now)


def transport_for_test(session: Session, of: Course | Campaign) -> Transport:
    """What a test mail of this goes by: the heaviest of its sender's transports that is not out."""
    return transport_of(session, session.get_one(Sender, of.sender_id))


def transport_of(session: Session, sender: Sender | None) -> Transport:
    """The same for a sender; without one it is the default."""
    ways = [one for one, _ in transports_of(session, sender)] if sender is not None else []
    healthy = [one for one in ways if one.paused_at is None and one.state == BreakerState.CLOSED]
    return next(iter([*healthy, *ways]), None) or get_transport(session, DEFAULT)


def as_claimed(session: Session, course: Course, step_key: str, person: Subscriber, now: datetime) -> Claimed:
    """What a worker would have claimed, had this been a delivery."""
    step = session.execute(
        select(Step.id, Step.key, Step.day, Step.send_time, Step.message_id, Step.languages).where(
            Step.course_id == course.id, Step.key == step_key, Step.retired_at.is_(None)
        )
    ).one_or_none()
    if step is None:
        raise Refused(
            f"{course.slug} has no step {step_key!r}; `steadypost course show {course.slug}` lists them."
        )
    mail = StepPlan(
        step.id, step.key, step.day, step.send_time, step.message_id, languages=tuple(step.languages.items())
    )
    return _claimed(person, now)._replace(
        course_id=course.id,
        step_id=step.id,
        list_id=course.list_id,
        message_id=mail.message_in(person.language),
        source=f"course:{course.id}",
    )


def _claimed(person: Subscriber, now: datetime) -> Claimed:
    """A row that is part of nothing yet."""
    return Claimed(
        id=TEST_DELIVERY,
        kind=DeliveryKind.STEP,
        lane=Lane.COURSE,
        due_at=now,
        # The Message-ID is made of it, and mail programs show a second mail of the same id to nobody.
        created_at=real_now(),
        deferrals=0,
        cuts=0,
        crashes=0,
        subscriber_id=0,
        enrollment_id=None,
        course_id=None,
        step_id=None,
        list_id=0,
        message_id=0,
        source="",
        email=person.email or "",
        name=person.name or "",
        language=person.language,
        zone=person.zone,
        fields=person.fields or None,
        subscription_id=None,
    )
