"""Alarms: which there were, and who is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.alarms import channels
from mailer.models import Alarm, AlarmChannel, AlarmNote
from mailer.sealing import Seal


@dataclass(frozen=True)
class AlarmsView:
    """The alarms, newest first; who is told; and by channel what it was told last."""

    alarms: Sequence[Alarm]
    channels: Sequence[AlarmChannel]
    notes: Mapping[int, AlarmNote]


@needs(Right.SEE)
def see_alarms(session: Session, _: Actor) -> AlarmsView:
    """All of it."""
    return AlarmsView(
        channels.list_alarms(session), channels.list_channels(session), channels.last_notes(session)
    )


@needs(Right.SEE)
def list_alarms(session: Session, _: Actor, before: int | None, limit: int) -> Sequence[Alarm]:
    """The alarms that came before one, newest first."""
    return channels.list_alarms(session, before, limit)


@needs(Right.SEE)
def see_channel(session: Session, _: Actor, channel_id: int) -> AlarmChannel:
    """One of those who are told; raises NotFound."""
    return channels.get_channel(session, channel_id)


@needs(Right.RUN)
def add_channel(session: Session, actor: Actor, seal: Seal, kind: str, address: str) -> tuple[str, str]:
    """Have somebody told; what is shown of the address, and the secret of a webhook, shown once."""
    channel, secret = channels.add_channel(session, seal, kind, address, actor.who)
    record(session, actor, "alarm channel add", kind=channel.kind, to=channel.shown)
    return channel.shown, secret


@needs(Right.RUN)
def try_channel(session: Session, actor: Actor, channel_id: int) -> str:
    """Have it told that this is a test; what is shown of its address. Raises NotFound."""
    channel = channels.get_channel(session, channel_id)
    channels.try_channel(session, channel)
    record(session, actor, "alarm channel test", 1, kind=channel.kind, to=channel.shown)
    return channel.shown


@needs(Right.RUN)
def remove_channel(session: Session, actor: Actor, channel_id: int) -> str:
    """Tell it nothing any more; raises NotFound."""
    channel = channels.get_channel(session, channel_id)
    shown = channel.shown
    record(session, actor, "alarm channel remove", kind=channel.kind, to=shown)
    session.delete(channel)
    return shown
