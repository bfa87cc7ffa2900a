"""Custom fields: declared once with a type, checked whenever a value comes in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.columns import meaning_of
from mailer.audience.tags import AT_ONCE, Changed, change_some
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import CustomField, FieldType

KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
YES = frozenset(
    {"yes", "y", "true", "1", "ja", "wahr", "oui", "vrai", "si", "sí", "verdadero", "vero", "sim"}
)
NO = frozenset({"no", "n", "false", "0", "nein", "falsch", "non", "faux", "falso", "não", "nao"})
"""What people and spreadsheets of several languages write for yes and no."""


class BadValue(MailerError):
    """Write numbers as 12.5, dates as 2026-03-31, and yes or no in words."""


def declare_field(session: Session, key: str, type_: FieldType) -> None:
    """Add a custom field. Declaring it again with the same type changes nothing; raises Refused."""
    if not KEY.fullmatch(key):
        raise Refused(
            f"{key!r} cannot name a field; use small letters, digits and _, as in favourite_colour."
        )
    if meaning := meaning_of(key):
        raise Refused(f"A column called {key} is taken for the {meaning} already; choose another name.")
    session.execute(
        insert(CustomField).values(key=key, type=type_).on_conflict_do_nothing(index_elements=["key"])
    )
    known = session.execute(select(CustomField.type).where(CustomField.key == key)).scalar_one()
    if known != type_:
        raise Refused(f"The field {key} is of type {known} already; choose another name.")


def declared_fields(session: Session) -> dict[str, FieldType]:
    """Every custom field and its type."""
    return dict(list_fields(session))


def list_fields(session: Session, after: str = "", limit: int | None = None) -> list[tuple[str, FieldType]]:
    """Custom fields with their types by their keys, those after `after`."""
    asked = select(CustomField.key, CustomField.type).where(CustomField.key > after)
    rows = session.execute(asked.order_by(CustomField.key).limit(limit))
    return [(key, FieldType(type_)) for key, type_ in rows]


def get_field(session: Session, key: str) -> FieldType:
    """The type of this field; raises NotFound."""
    found = session.get(CustomField, key)
    if found is None:
        raise NotFound(f"There is no field {key!r}.")
    return FieldType(found.type)


_HAS = "fields ? :old"
_BECOMES = """
    fields = (s.fields - :old) || CASE WHEN :new = '' OR s.fields ? :new THEN '{}'
        ELSE jsonb_build_object(CAST(:new AS text), s.fields -> :old) END
"""


def replace_field(session: Session, old: str, new: str, after: int = 0, most: int = AT_ONCE) -> Changed:
    """Move what `most` people have in the field `old` to `new`, which takes its type; empty takes it away.

    What somebody has in `new` already stays. To be asked on, each time in a new transaction, until nobody is
    left; then `old` is no field any more. Raises NotFound or Refused.
    """
    type_ = get_field(session, old)
    if new:
        declare_field(session, new, type_)
    values = {"old": old, "new": new}
    changed = change_some(session, _HAS, _BECOMES, values, after, most)
    if changed.after is None:
        session.execute(delete(CustomField).where(CustomField.key == old))
        # Those who were given one meanwhile.
        late = change_some(session, _HAS, _BECOMES, values, 0, most)
        return Changed(changed.people + late.people, None)
    return changed


def typed_value(text: str, type_: FieldType) -> Any:
    """`text` as the JSON value of its type (a date stays an ISO text); raises BadValue."""
    try:
        return _READERS[type_](text.strip())
    except ValueError:
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise BadValue(f"{shown!r} is not a {type_} value") from None


def typed_fields(values: Mapping[str, str], declared: Mapping[str, FieldType]) -> dict[str, Any]:
    """All `values` by their types; empty ones are left out.

    Raises Refused for an undeclared field, and BadValue naming the field that a value does not fit.
    """
    for key in values:
        if key not in declared:
            raise Refused(f"There is no field {key!r}; declare it with `steadypost subscriber field {key}`.")
    typed = {}
    for key, text in values.items():
        if text.strip():
            try:
                typed[key] = typed_value(text, declared[key])
            except BadValue as error:
                raise BadValue(f"field {key}, {error.what}") from None
    return typed


def _text(text: str) -> str:
    # JSON in PostgreSQL holds every character but these two.
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError(text)
    return text


def _number(text: str) -> int | float:
    # "1,234" is a thousand to some and little more than one to others: not ours to guess.
    if not NUMBER.fullmatch(text) or THOUSANDS.fullmatch(text):
        raise ValueError(text)
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _date(text: str) -> str:
    """A day as ISO text: ISO itself (a spreadsheet may add a time), or day.month.year.

    With slashes, 03/04/2026 is in March to some and in April to others, so it is refused.
    """
    if parts := DAY_FIRST.fullmatch(text):
        day, month, year = (int(part) for part in parts.groups())
        return date(year, month, day).isoformat()
    return datetime.fromisoformat(text).date().isoformat()


def _yes_no(text: str) -> bool:
    word = text.lower()
    if word not in YES and word not in NO:
        raise ValueError(text)
    return word in YES


_READERS: dict[FieldType, Callable[[str], Any]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.YES_NO: _yes_no,
}
