"""Tables and constraints; no queries and no rules."""

from __future__ import annotations

from mailer.models.audience import (
    Consent,
    ConsentKind,
    CustomField,
    FieldType,
    Import,
    ImportState,
    MailingList,
    OptIn,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from mailer.models.base import Base
from mailer.models.campaign import Campaign, CampaignState
from mailer.models.course import Course, CourseVersion, Media, Message, Sender, Step, StepKind
from mailer.models.instance import Instance
from mailer.models.operations import Action, Heartbeat, Hold, HoldCause, HoldScope
from mailer.models.sending import (
    Attempt,
    Batch,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Event,
    EventKind,
    Lane,
    Move,
    Tally,
)

__all__ = [
    "Action",
    "Attempt",
    "Base",
    "Batch",
    "Campaign",
    "CampaignState",
    "Consent",
    "ConsentKind",
    "Course",
    "CourseVersion",
    "CustomField",
    "Delivery",
    "DeliveryKind",
    "DeliveryState",
    "Enrollment",
    "EnrollmentState",
    "Event",
    "EventKind",
    "FieldType",
    "Heartbeat",
    "Hold",
    "HoldCause",
    "HoldScope",
    "Import",
    "ImportState",
    "Instance",
    "Lane",
    "MailingList",
    "Media",
    "Message",
    "Move",
    "OptIn",
    "Sender",
    "Step",
    "StepKind",
    "Subscriber",
    "Subscription",
    "SubscriptionState",
    "Suppression",
    "SuppressionReason",
    "Tally",
]
