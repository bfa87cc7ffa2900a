"""Arrays as PostgreSQL writes them, read back by PostgreSQL's own rules through the driver's loader."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import Transformer

from mailer.db import as_array

TEXT_ARRAY, BIGINT_ARRAY = psycopg.adapters.types["text"].array_oid, psycopg.adapters.types["int8"].array_oid


def read_back(array: str, oid: int) -> object:
    return Transformer().get_loader(oid, psycopg.pq.Format.TEXT).load(array.encode())


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.none()))
def test_texts_come_back_as_they_were(values: list[str | None]) -> None:
    assert read_back(as_array(values), TEXT_ARRAY) == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_numbers_come_back_as_they_were(values: list[int | None]) -> None:
    assert read_back(as_array(values), BIGINT_ARRAY) == values


@pytest.mark.parametrize("words", ["NULL", "null", "", "{", "a,b", "\\", '"', " x "])
def test_what_has_a_meaning_of_its_own_stays_a_text(words: str) -> None:
    assert read_back(as_array([words]), TEXT_ARRAY) == [words]
