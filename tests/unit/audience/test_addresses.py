"""What is an email address, and when two are the same person."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from mailer.audience.addresses import BadAddress, normalise


@pytest.mark.parametrize(
    ("typed", "mailed", "key"),
    [
        ("Ada@Reader.Example", "Ada@reader.example", "ada@reader.example"),
        ("\u00a0ada@reader.example \u200b", "ada@reader.example", "ada@reader.example"),
        # Copied from a chat: a zero-width space inside, a mark of direction in front.
        ("\u200eada@rea\u200bder.example", "ada@reader.example", "ada@reader.example"),
        ("ada+course@reader.example", "ada+course@reader.example", "ada+course@reader.example"),
        ("ada@xn--mller-kva.de", "ada@müller.de", "ada@müller.de"),
        ("Ädä@müller.DE", "Ädä@müller.de", "ädä@müller.de"),
    ],
)
def test_what_people_type_becomes_one_address(typed: str, mailed: str, key: str) -> None:
    assert normalise(typed) == (mailed, key)


@pytest.mark.parametrize(
    "typed",
    [
        *("", "@", "ada", "ada@", "ada@reader", "ada@@reader.example", "ada reader@reader.example"),
        *("Ada <ada@reader.example>", "ada@reader.example, ben@reader.example", "ada@[192.0.2.1]"),
        *("ada@reader..example", "a" * 65 + "@reader.example", "ada@" + "a." * 130 + "example"),
        *("\udcff@reader.example", "ada\nbcc: ben@reader.example", "ada@reader.example\x00"),
    ],
)
def test_what_is_no_address_is_refused_with_one_sentence(typed: str) -> None:
    with pytest.raises(BadAddress, match="as name@domain"):
        normalise(typed)


def test_a_page_of_text_is_not_repeated_as_a_whole() -> None:
    with pytest.raises(BadAddress) as refusal:
        normalise("lorem ipsum " * 10_000)
    assert len(str(refusal.value)) < 200


@given(
    st.text("abzAZ09.!#$%&'*+/=?^_`{|}~-\"(),:;<>@[\\] éü", max_size=70)
    | st.sampled_from(["Info", "a" * 64]),
    st.sampled_from(
        [
            *(
                "reader.example",
                "Reader.EXAMPLE",
                "x--y.example",
                "a.b-.example",
                "-a.example",
                "a.b.c.example",
            ),
            *(
                "xn--p1ai.example",
                "xn--mller-kva.de",
                "MÜLLER.de",
                "bücher.example",
                "пример.рф",
                "a。example",
            ),
            *("a.b.c.example", "пример.рф", "reader", "reader.local"),
            *("a.LOCALHOST", "reader.test", "arpa.example", "reader.c0m", "r.e1"),
            *(f"{'a' * 63}.example", f"{'a' * 64}.example", "a." * 90 + "example", "ü." * 30 + "example", ""),
        ]
    )
    | st.text("abZ09.-é@", max_size=12),
)
def test_the_short_ways_agree_with_the_validator(local_part: str, domain: str) -> None:
    address = f"{local_part}@{domain}".strip()
    try:
        expected = validate_email(
            address, check_deliverability=False, test_environment=True, strict=True
        ).normalized
    except EmailNotValidError:
        with pytest.raises(BadAddress):
            normalise(address)
    else:
        assert normalise(address) == (expected, expected.lower())


@given(st.from_regex(r"[a-zA-Z0-9._+-]{1,20}@([a-zA-Z0-9-]{1,12}\.){1,3}[a-zA-Z]{2,6}", fullmatch=True))
def test_a_plain_address_is_what_the_validator_makes_of_it(address: str) -> None:
    try:
        expected = validate_email(
            address, check_deliverability=False, test_environment=True, strict=True
        ).normalized
    except EmailNotValidError:
        with pytest.raises(BadAddress):
            normalise(address)
    else:
        assert normalise(address)[0] == expected
