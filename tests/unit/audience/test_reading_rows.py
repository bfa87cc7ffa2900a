"""The short way from a row to a person says the same as the long one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.audience.addresses import normalise
from mailer.audience.fields import typed_fields
from mailer.audience.reading import PeopleReader, refuse_doubled
from mailer.audience.subscribers import Person
from mailer.errors import MailerError, Refused
from mailer.models import FieldType

COLUMNS = ("email", "name", "language", "zone", "tags", "height", "born", "note", "not_used")
DECLARED = {
    "born": FieldType.DATE,
    "height": FieldType.NUMBER,
    "note": FieldType.TEXT,
    "of_no_column": FieldType.TEXT,
}
READER = PeopleReader(COLUMNS, DECLARED)


def long_way(values: Mapping[str, str]) -> Person:
    """A row as `subscriber add` would take it."""
    tags = values.get("tags", "").replace(";", ",").replace('"', "")
    return Person(
        email=values.get("email", ""),
        name=values.get("name", ""),
        language=values.get("language"),
        zone=values.get("zone"),
        tags=tags.split(",") if tags else (),
        fields=typed_fields({key: values[key] for key in DECLARED if key in values}, DECLARED),
    ).checked()


def in_array(words: str) -> list[str]:
    """The words of a PostgreSQL array whose words are all in quotation marks."""
    found: list[str] = json.loads(f"[{words[1:-1]}]")
    return found


cell = st.text(st.characters(exclude_categories=["Cc"]), max_size=70).map(str.strip)


@given(
    st.tuples(
        st.sampled_from(["ada@reader.example", "Ädä@müller.DE", "ada", ""]) | cell,
        cell,
        st.sampled_from(["", "de", "pt_br", "Klingon"]),
        st.sampled_from(["", "Europe/Berlin", "Mars/Base"]),
        st.sampled_from(["", "VIP, spring", 'b;"a";B', "back\\slash"]) | cell,
        st.sampled_from(["", "1,65", "tall", "170"]),
        st.sampled_from(["", "10.12.1815", "soon"]),
        cell,
    )
)
def test_the_short_way_takes_and_refuses_what_the_long_way_does(cells: tuple[str, ...]) -> None:
    values = {name: text for name, text in zip(COLUMNS, cells, strict=False) if text}
    try:
        person, sentence = long_way(values), ""
    except MailerError as error:
        sentence = str(error)
    if sentence:
        with pytest.raises(MailerError) as refusal:
            READER.person(7, list(cells))
        assert str(refusal.value) == sentence
        return
    row = READER.person(7, list(cells))
    assert (row.line, row.email, row.email_key) == (7, person.email, normalise(person.email)[1])
    assert (row.name, row.language, row.zone) == (person.name, person.language, person.zone)
    assert in_array(row.tags) == list(person.tags)
    assert json.loads(row.fields) == person.fields


def test_what_comes_again_and_again_stays_what_it_is() -> None:
    cells = ["ada@reader.example", "", "", "", "b, a", "1,65", "", "x" * 1000]
    rows = [READER.person(line, cells) for line in (2, 3)]
    assert [row.fields for row in rows] == [rows[0].fields] * 2
    assert json.loads(rows[0].fields) == {"height": 1.65, "note": "x" * 1000}
    for _ in range(2):
        with pytest.raises(MailerError, match="field height, 'tall' is not a number value"):
            READER.person(4, ["ada@reader.example", "", "", "", "", "tall"])


def test_two_columns_of_one_meaning_are_refused_if_it_is_used() -> None:
    refuse_doubled(("email", "note", "note"), {}, "fair.csv")
    with pytest.raises(Refused, match=r"fair\.csv has two columns that mean `note`"):
        refuse_doubled(("email", "note", "note"), DECLARED, "fair.csv")
