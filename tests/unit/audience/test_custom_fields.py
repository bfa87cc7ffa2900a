"""Values of custom fields: what is said without doubt is taken, what could mean two things is not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.audience.fields import BadValue, typed_fields, typed_value
from mailer.errors import Refused
from mailer.models import FieldType


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        (" blue ", FieldType.TEXT, "blue"),
        ("42", FieldType.NUMBER, 42),
        ("1.50", FieldType.NUMBER, 1.5),
        ("1,5", FieldType.NUMBER, 1.5),  # as German and French sheets write it
        ("0,125", FieldType.NUMBER, 0.125),
        ("-3", FieldType.NUMBER, -3),
        ("2e3", FieldType.NUMBER, 2000),
        ("2026-03-31", FieldType.DATE, "2026-03-31"),
        ("2026-03-31 00:00:00", FieldType.DATE, "2026-03-31"),  # a sheet's date with its empty time
        ("31.3.2026", FieldType.DATE, "2026-03-31"),
        ("WAHR", FieldType.YES_NO, True),  # how a German Excel writes TRUE
        ("no", FieldType.YES_NO, False),
        ("0", FieldType.YES_NO, False),
    ],
)
def test_what_a_cell_means(text: str, type_: FieldType, value: Any) -> None:
    assert typed_value(text, type_) == value
    assert type(typed_value(text, type_)) is type(value)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("1,234", FieldType.NUMBER),  # a thousand or little more than one
        ("1.234,50", FieldType.NUMBER),
        ("1_000", FieldType.NUMBER),
        ("nan", FieldType.NUMBER),
        ("9" * 400, FieldType.NUMBER),
        ("12 kg", FieldType.NUMBER),
        ("03/04/2026", FieldType.DATE),  # March or April
        ("31.02.2026", FieldType.DATE),
        ("soon", FieldType.DATE),
        ("perhaps", FieldType.YES_NO),
        ("a\x00b", FieldType.TEXT),
        ("a\udcffb", FieldType.TEXT),
    ],
)
def test_what_is_doubtful_is_refused(text: str, type_: FieldType) -> None:
    with pytest.raises(BadValue, match="Write numbers as"):
        typed_value(text, type_)


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(BadValue, match="field height, 'tall' is not a number value"):
        typed_fields({"height": "tall"}, {"height": FieldType.NUMBER})


def test_an_empty_cell_says_nothing_and_an_undeclared_field_says_how_to_declare_it() -> None:
    assert typed_fields({"height": "  "}, {"height": FieldType.NUMBER}) == {}
    with pytest.raises(Refused, match="steadypost subscriber field height"):
        typed_fields({"height": "180"}, {})


@given(st.text(max_size=30), st.sampled_from(FieldType))
def test_nothing_that_people_type_is_a_crash(text: str, type_: FieldType) -> None:
    with suppress(BadValue):
        typed_value(text, type_)
