"""A rule asked in SQL: a condition on the table of subscribers, with every value as a parameter."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Exists,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from mailer.models import (
    CheckIn,
    Click,
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    MailingList,
    Step,
    Subscriber,
    Subscription,
    SubscriptionState,
    Verdict,
)
from mailer.rules.facts import WHERE_OF, day_from, small
from mailer.rules.model import (
    All,
    Answered,
    Clicked,
    Compare,
    Field,
    InCourse,
    InSegment,
    Language,
    Mailed,
    Not,
    OnList,
    Reached,
    Rule,
    Some,
    Span,
    Tag,
    Where,
    Zone,
)

DATE_FORM = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def as_sql(rule: Rule, now: datetime) -> ColumnElement[bool]:
    """The rule as a condition on `Subscriber`; never null, so that `not` means what it says.

    `now` is aware UTC. Segments must have been expanded.
    """
    match rule:
        case All(parts):
            return and_(true(), *(as_sql(part, now) for part in parts))
        case Some(parts):
            return or_(false(), *(as_sql(part, now) for part in parts))
        case Not(part):
            return not_(as_sql(part, now))
        case Tag(name):
            return Subscriber.tags.op("@>", is_comparison=True)(cast([name], ARRAY(Text)))
        case Field() as asked:
            return _field(asked, now)
        case Language(tag):
            has = func.lower(func.coalesce(Subscriber.language, ""))
            return or_(has == tag, func.starts_with(has, f"{tag}-", type_=Boolean))
        case Zone(name):
            return func.coalesce(Subscriber.zone, "") == name
        case InSegment(slug):
            raise AssertionError(f"the segment {slug} was not expanded")
    return _exists(rule, now)


def _exists(rule: Rule, now: datetime) -> ColumnElement[bool]:
    match rule:
        case OnList(slug, span):
            return _has(
                Subscription,
                Subscription.subscriber_id,
                Subscription.state == SubscriptionState.ACTIVE,
                Subscription.list_id == _id_of(MailingList, slug),
                _within(Subscription.changed_at, span, now),
            )
        case InCourse(where, course, span):
            # The row may be older than the course: it is made before its reader confirms, and kept when they
            # start over.
            begun_at = func.coalesce(Enrollment.begun_at, Enrollment.created_at)
            since = begun_at if where == Where.ENROLLED else Enrollment.ended_at
            state = next(state for state, word in WHERE_OF.items() if word == where)
            return _has(
                Enrollment,
                Enrollment.subscriber_id,
                Enrollment.state == state,
                Enrollment.course_id == _id_of(Course, course),
                _within(since, span, now),
            )
        case Reached(step, course):
            steps = select(Step.id).where(Step.key == step, Step.course_id == _id_of(Course, course))
            return _has(
                Delivery,
                Delivery.subscriber_id,
                Delivery.step_id.in_(steps),
                Delivery.state == DeliveryState.ACCEPTED,
            )
        case Answered(answer, week, course):
            return _answered(answer, week, course)
        case Clicked(url, days):
            return _has(
                Click,
                Click.subscriber_id,
                Click.verdict == Verdict.PERSON,
                func.starts_with(Click.url, url, type_=Boolean) if url else true(),
                _within(Click.at, None if days is None else Span(days), now),
            )
        case Mailed(days):
            return _has(
                Delivery,
                Delivery.subscriber_id,
                Delivery.state == DeliveryState.ACCEPTED,
                _within(Delivery.settled_at, Span(days), now),
            )
    raise AssertionError(rule)


def _has(model: Any, person: Any, *conditions: ColumnElement[bool]) -> Exists:
    found = select(1).select_from(model).where(person == Subscriber.id, *conditions)
    return exists(found.correlate(Subscriber))


def _id_of(model: Any, slug: str) -> Any:
    return select(model.id).where(model.slug == slug).scalar_subquery()


def _within(column: Any, span: Span | None, now: datetime) -> ColumnElement[bool]:
    if span is None:
        return true()
    border = literal(now - timedelta(days=span.days))
    is_so: ColumnElement[bool] = column < border if span.is_more else column >= border
    return is_so


def _answered(answer: str, week: int, course: str) -> ColumnElement[bool]:
    newest = (
        select(CheckIn.answer)
        .join(Enrollment, Enrollment.id == CheckIn.enrollment_id)
        .where(
            CheckIn.subscriber_id == Subscriber.id,
            CheckIn.week == week,
            CheckIn.course_id == _id_of(Course, course),
            # What was said before the course was begun anew is past.
            or_(Enrollment.begun_at.is_(None), CheckIn.at >= Enrollment.begun_at),
        )
        .order_by(CheckIn.at.desc(), CheckIn.id.desc())
        .limit(1)
        .correlate(Subscriber)
        .scalar_subquery()
    )
    said: ColumnElement[str] = func.coalesce(newest, "")
    return said == answer


def _field(asked: Field, now: datetime) -> ColumnElement[bool]:
    value = Subscriber.fields[asked.key]
    kind: ColumnElement[str] = func.coalesce(func.jsonb_typeof(value), "null")
    # In byte order, as Python compares them.
    words: ColumnElement[str] = func.coalesce(value.astext, "").collate("C")
    match asked.compare, asked.value:
        case Compare.SET, _:
            return kind != "null"
        case Compare.DAY, days:
            return and_(kind == "string", words == day_from(now, days).isoformat())
        case Compare.CONTAINS, text:
            # Lowered in byte order: A to Z only, whatever the database's own locale knows of letters.
            found = func.strpos(func.lower(words), small(str(text)))
            return and_(kind == "string", found > 0)
        case Compare.IS, bool() as yes:
            return and_(kind == "boolean", words == ("true" if yes else "false"))
        case compare, float() as number:
            # In a case, because SQL may look at the number before it looks whether it is one.
            as_number = case((kind == "number", cast(words, Double)), else_=None)
            met: ColumnElement[bool] = func.coalesce(_compared(compare, as_number, number), false())
            return met
        case compare, date() as day:
            is_date = and_(kind == "string", words.regexp_match(DATE_FORM))
            return and_(is_date, _compared(compare, words, day.isoformat()))
        case compare, text:
            return and_(kind == "string", _compared(compare, words, str(text)))


def _compared(compare: Compare, has: Any, value: Any) -> ColumnElement[bool]:
    compared: ColumnElement[bool]
    match compare:
        case Compare.LEAST:
            compared = has >= value
        case Compare.MOST:
            compared = has <= value
        case Compare.OVER:
            compared = has > value
        case Compare.UNDER:
            compared = has < value
        case _:
            compared = has == value
    return compared
