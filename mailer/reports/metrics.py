"""The queues' figures in the text format of Prometheus, and the token that opens them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from mailer.links import BadLink, Signer
from mailer.reports.queues import QueueStatus

NO_DELIVERY = 2**63 - 1
"""The delivery that the token is made for: the last number there can be, which no mail will ever have."""

LANE_GAUGES = {
    "waiting": "Mails that are due and not on their way.",
    "on_their_way": "Mails that are offered to a worker or with one.",
    "deferred": "Mails that are planned for a later moment.",
    "held": "Mails that are set aside.",
    "quarantined": "Mails that cannot be sent as they are.",
    "lapsed": "Mails with workers that are overdue.",
}


def metrics_token(signer: Signer) -> str:
    """What Prometheus must show. It is derived from the newest secret key, and older keys' stay good."""
    return signer.delivery_token(NO_DELIVERY)


def opens_metrics(signer: Signer, token: str) -> bool:
    """Whether `token` is the one."""
    try:
        return signer.delivery_id(token) == NO_DELIVERY
    except BadLink:
        return False


def _is_stopped(status: QueueStatus, lane: str) -> bool:
    return any(hold.name in ("everything", f"lane {lane}") for hold in status.holds)


def as_prometheus(status: QueueStatus) -> bytes:
    """The figures; a figure that is not known (no rate, no broker, no heartbeat) is left out."""
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"steadypost_{name}", meaning, labels, registry=registry)

    counts = {name: gauge(f"deliveries_{name}", meaning, "lane") for name, meaning in LANE_GAUGES.items()}
    oldest = gauge("oldest_due_seconds", "Age of the due mail that is first in line.", "lane")
    late = gauge("late_seconds", "The same of what nobody has paused.", "lane")
    rate = gauge("accepted_per_second", "Mails accepted per second over the last minute.", "lane")
    drain = gauge("drain_seconds", "When all that is due will have left at this rate.", "lane")
    for lane in status.lanes:
        for name, each in counts.items():
            each.labels(lane.lane).set(getattr(lane, name))
        oldest.labels(lane.lane).set(lane.oldest or 0)
        late.labels(lane.lane).set(0 if _is_stopped(status, lane.lane) else lane.late or 0)
        rate.labels(lane.lane).set(lane.per_second or 0)
        if lane.drain_seconds is not None:
            drain.labels(lane.lane).set(lane.drain_seconds)
    up = gauge("redis_up", "Whether Redis answers.")
    up.set(int(None not in status.depths.values()))
    depth = gauge("queue_tasks", "Tasks in Redis.", "queue")
    for queue, tasks in status.depths.items():
        if tasks is not None:
            depth.labels(queue).set(tasks)
    age = gauge("heartbeat_age_seconds", "Since a worker last took a heartbeat from the queue.", "queue")
    for queue, seconds in status.last_heartbeats.items():
        age.labels(queue).set(seconds)
    trip = gauge("heartbeat_round_trip_seconds", "From sending to taking.", "queue", "worker")
    for worker in status.workers:
        trip.labels(worker.queue, worker.worker).set(worker.round_trip)
    # Without their targets: which course somebody sends is nobody's business here.
    holds = gauge("holds", "Holds in force.", "scope")
    for scope in sorted({hold.scope for hold in status.holds}):
        holds.labels(scope).set(sum(hold.scope == scope for hold in status.holds))
    by_itself = gauge("holds_by_itself", "Those of an outage, a restore or a campaign's canary.")
    by_itself.set(sum(not hold.by_person for hold in status.holds))
    works = gauge(
        "transport_up", "Whether mail goes by the transport: 0 when it is paused or out.", "transport"
    )
    for slug in status.all_transports:
        works.labels(slug).set(int(all(one.slug != slug for one in status.transports)))
    limits = gauge(
        "send_limit", "Mails allowed in a period.", "transport", "domain_group", "period", "origin"
    )
    for one in status.allowed:
        limits.labels(one.transport, one.domain_group, one.period, one.origin).set(one.most)
    return generate_latest(registry)
