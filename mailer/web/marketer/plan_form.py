"""The form that says when a campaign leaves, and what goes first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time

from mailer.clock import instant_of, zone
from mailer.content.canary import Canary, read_canary
from mailer.desk.campaign_plans import Plan
from mailer.desk.campaigns import Moment
from mailer.errors import Refused
from mailer.schedule.local_time import Past


def read_plan(fields: Mapping[str, str]) -> Plan:
    """The plan that a form says; raises Refused, FarOff or UnknownZone with what to choose instead."""
    canary = _canary(fields)
    when = fields.get("when", "")
    if when == "now":
        return Plan(Moment(), canary)
    if when not in ("at", "local"):
        raise Refused("Choose when it leaves.")
    try:
        day, clock = date.fromisoformat(fields.get("day", "")), time.fromisoformat(fields.get("clock", ""))
    except ValueError:
        raise Refused("Choose the day and the hour.") from None
    zone_name = fields.get("zone", "").strip() or "Etc/UTC"
    zone(zone_name)
    if when == "at":
        return Plan(Moment(at=instant_of(day, clock, zone_name)), canary)
    past = fields.get("past", "")
    at = datetime.combine(day, clock)
    return Plan(Moment(local_at=at, zone=zone_name, past=Past(past) if past in set(Past) else None), canary)


def _canary(fields: Mapping[str, str]) -> Canary | None:
    size = fields.get("canary", "").strip()
    if not size:
        return None

    def tell(_: str, what: str, fix: str) -> None:
        raise Refused(f"{what} {fix}")

    wait = fields.get("canary_wait", "").strip()
    limits = {
        name.removeprefix("limit_"): value.strip()
        for name, value in fields.items()
        if name.startswith("limit_") and value.strip()
    }
    return read_canary({"size": size, **({"wait": wait} if wait else {}), **limits}, tell)
