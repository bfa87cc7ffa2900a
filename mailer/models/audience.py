"""Who: subscribers, the lists they agreed to be on, and addresses that must not be mailed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of


class OptIn(StrEnum):
    """Single: on the list at once. Double: on the list after a click in a confirmation mail."""

    SINGLE = "single"
    DOUBLE = "double"


class SubscriptionState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


class ConsentKind(StrEnum):
    """What happened to a consent; each is a row of evidence that is never changed."""

    ASKED = "asked"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes-no"


class SuppressionReason(StrEnum):
    HARD_BOUNCE = "hard-bounce"
    SOFT_BOUNCE = "soft-bounce"
    COMPLAINT = "complaint"
    EVERYTHING = "unsubscribed-from-everything"
    MANUAL = "manual"


class ImportState(StrEnum):
    """Reading: rows go into a table of their own. Adding: its people join the list."""

    READING = "reading"
    ADDING = "adding"
    FINISHED = "finished"


WORD_BREAKS = "[][ @._+'\"(),;/&|!*<>{}#=?^`~$-]+"
"""What stands between words of names and addresses: a pattern that Python and PostgreSQL read alike."""

ACCENTS = r"[\u0300-\u036f]+"

SUBSCRIBER_WORDS = f"""array_to_tsvector(array_remove(regexp_split_to_array(lower(
CASE
    WHEN octet_length(name || email_key) = length(name || email_key) THEN (name || ' '::text) || split_part(email_key, '@'::text, 1)
    ELSE regexp_replace(NORMALIZE((name || ' '::text) || split_part(email_key, '@'::text, 1), NFKD), '{ACCENTS}'::text, ''::text, 'g'::text)
END), '{WORD_BREAKS.replace(chr(39), chr(39) * 2)}'::text), ''::text) || ARRAY['@'::text || split_part(email_key, '@'::text, 2)])"""  # noqa: E501
"""What somebody is found by: words of their name and of what is before the @ in their address, without
accents; and "@" with the domain. Written as PostgreSQL gives it back, so that a test finds migrations fit.
`audience/search.py` makes the words that are looked for in the same way.
"""


SUPPRESSED_ADDRESS = 'lower(email COLLATE "C")'
SUPPRESSED_DOMAIN = f"split_part({SUPPRESSED_ADDRESS}, '@'::text, 2)"
"""What suppressions are found by, in byte order, so that a beginning is enough; only A to Z are made small.
`audience/suppression.py` looks for it in the same words.
"""


class ImportFileState(StrEnum):
    """Looked at: somebody still says how it is to be read. Waiting: workers do it, some of it at a time."""

    LOOKED_AT = "looked-at"
    WAITING = "waiting"
    STOPPED = "stopped"
    FINISHED = "finished"
    REFUSED = "refused"
    UNDOING = "undoing"
    UNDONE = "undone"


class Subscriber(Base):
    """A person. `email_key` is the normalised address that makes them one; `zone` is an IANA name."""

    __tablename__ = "subscribers"

    id: Mapped[Key]
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str | None]
    zone: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    fields: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index(None, "tags", postgresql_using="gin"),
        # Without a list of what is yet to be sorted in: each search would have to read through it.
        Index(
            "ix_subscribers_words",
            text(SUBSCRIBER_WORDS),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )


class KnownTag(Base):
    """A tag that somebody has or had: what there is to choose from, without a look at every subscriber."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(primary_key=True)


class CustomField(Base):
    """A field that subscribers may have besides the built-in ones, with the type its values must have."""

    __tablename__ = "custom_fields"

    key: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]

    __table_args__ = (one_of("type", FieldType),)


class MailingList(Base):
    """What people sign up to. A course belongs to one.

    One that was deleted has `removed_at`, and a slug that nobody can write: its row stays, as evidence of
    consent and mails that were sent name it.
    """

    __tablename__ = "lists"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    opt_in: Mapped[str] = mapped_column(server_default=OptIn.DOUBLE)
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]

    __table_args__ = (one_of("opt_in", OptIn),)


class Subscription(Base):
    """One person's consent to one list, as it stands now."""

    __tablename__ = "subscriptions"

    id: Mapped[Key]
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"))
    state: Mapped[str]
    changed_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("subscriber_id", "list_id"),
        # A campaign's people are read from it some at a time, in the order of their ids.
        Index(None, "list_id", "state", "subscriber_id"),
        one_of("state", SubscriptionState),
    )


class Consent(Base):
    """Evidence: what was asked, agreed to or withdrawn, when, in which words, and by which way."""

    __tablename__ = "consents"

    id: Mapped[Key]
    subscription_id: Mapped[int] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str]
    at: Mapped[datetime]
    wording: Mapped[str] = mapped_column(server_default="")
    source: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (one_of("kind", ConsentKind),)


class Suppression(Base):
    """An address that must not be mailed.

    Found by a hash of the address, so that the row can outlive the person's erasure; otherwise the
    next import would bring the address back. It is in force before `until`, or for good when that is None.
    """

    __tablename__ = "suppressions"

    id: Mapped[Key]
    email_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email: Mapped[str | None]
    reason: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default=text("''"))
    at: Mapped[datetime]
    until: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_suppressions_complaints", "at", postgresql_where=text("reason = 'complaint'")),
        Index(None, "reason", "id"),
        Index("ix_suppressions_address", text(SUPPRESSED_ADDRESS)),
        Index("ix_suppressions_domain", text(SUPPRESSED_DOMAIN), text(SUPPRESSED_ADDRESS)),
        one_of("reason", SuppressionReason),
    )


class Segment(Base):
    """A saved rule, never a copy of people."""

    __tablename__ = "segments"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(server_default=text("''"))
    rule: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SoftBounce(Base):
    """How many mails to somebody were given up in a row because of their mailbox, none accepted between."""

    __tablename__ = "soft_bounces"

    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    bounces: Mapped[int]
    first_at: Mapped[datetime]


class Import(Base):
    """How far a CSV import is; `parts` are those of its people that have been added, with their counts.

    The people of an unfinished one wait in tables of its own (audience/staging.py).
    """

    __tablename__ = "imports"

    id: Mapped[Key]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"))
    source: Mapped[str]
    state: Mapped[str]
    rows_read: Mapped[int] = mapped_column(server_default="0")
    rows_refused: Mapped[int] = mapped_column(server_default="0")
    guess: Mapped[dict[str, Any] | None]
    parts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_imports_unfinished", "digest", unique=True, postgresql_where=text("finished_at IS NULL")),
        one_of("state", ImportState),
    )


class ImportFile(Base):
    """A file that was brought to the desk: how it is to be read, what its people join, what came of it.

    The file itself is below the data folder, by its random `name`, and goes when the import is done or after
    a week. `columns` are ours by place, "" for one that is not used. `progress` and `report` hold counts and
    no address. `ordered_at` is the moment that all it adds is dated with; what was true then holds for all of
    its people, whatever changes on the way: whether they are active at once (`joins_active`), and the
    declared `fields` with their types, in their order.
    """

    __tablename__ = "import_files"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    file: Mapped[str]
    size: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=ImportFileState.LOOKED_AT)
    encoding: Mapped[str]
    is_guessed: Mapped[bool] = mapped_column(server_default=text("false"))
    delimiter: Mapped[str | None]
    columns: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    list_id: Mapped[int | None] = mapped_column(ForeignKey("lists.id"))
    wording: Mapped[str] = mapped_column(server_default=text("''"))
    is_confirmed: Mapped[bool] = mapped_column(server_default=text("false"))
    joins_active: Mapped[bool] = mapped_column(server_default=text("false"))
    fields: Mapped[list[list[str]]] = mapped_column(JSONB, server_default="[]")
    who: Mapped[str]
    brought_at: Mapped[datetime]
    ordered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    import_id: Mapped[int | None] = mapped_column(ForeignKey("imports.id", ondelete="SET NULL"), index=True)
    progress: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    report: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    problem: Mapped[str] = mapped_column(server_default=text("''"))

    __table_args__ = (
        Index("ix_import_files_open", "ordered_at", postgresql_where=text("state IN ('waiting', 'undoing')")),
        Index(None, "brought_at"),
        one_of("state", ImportFileState),
    )
