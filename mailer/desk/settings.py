"""What this installation is set to: by its environment, and in its database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.reports import settings as told
from mailer.reports.queues import AllowedStatus, allowed
from mailer.schedule import cap
from mailer.schedule.cap import Cap
from mailer.settings import Settings


@dataclass(frozen=True)
class SettingsView:
    """All of it: by groups, the cap for one person, and what each transport may send."""

    groups: Mapping[str, Sequence[told.Told]]
    cap: Cap | None
    limits: Sequence[AllowedStatus]


@needs(Right.SEE)
def see_settings(session: Session, _: Actor, settings: Settings) -> SettingsView:
    """Every setting but its secrets."""
    return SettingsView(told.tell_settings(settings), cap.read_cap(session), allowed(session))


@needs(Right.MANAGE)
def set_cap(session: Session, actor: Actor, wished: Cap | None) -> bool:
    """Set how many mails one person gets at most and when none, or (None) lift it; False: it was so."""
    before = cap.read_cap(session)
    if before == wished:
        return False
    cap.set_cap(session, wished)
    record(session, actor, "cap set" if wished else "cap lift", before=_detail(before), now=_detail(wished))
    return True


def _detail(one: Cap | None) -> dict[str, str] | None:
    if one is None:
        return None
    return {name: str(value) for name, value in asdict(one).items() if value is not None}
