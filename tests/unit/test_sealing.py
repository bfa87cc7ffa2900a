"""Secrets at rest."""

from __future__ import annotations

import pytest

from mailer.sealing import Seal, SealedWithAnotherKey

OLD, NEW = "an old secret key, long enough to be one", "a new secret key, long enough to be one"


def test_what_was_sealed_can_be_opened_and_not_be_read() -> None:
    sealed = Seal([OLD]).close("smtp://me:pass@host")
    assert "pass" not in sealed
    assert Seal([OLD]).open(sealed) == "smtp://me:pass@host"


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    sealed = Seal([OLD]).close("secret")
    both = Seal([NEW, OLD])
    assert both.open(sealed) == "secret"
    assert Seal([NEW]).open(both.close("secret")) == "secret"


def test_another_key_is_told_what_to_do_and_shown_nothing() -> None:
    sealed = Seal([OLD]).close("secret")
    with pytest.raises(SealedWithAnotherKey, match="add that one after a comma") as refused:
        Seal([NEW]).open(sealed, "The DKIM key")
    assert refused.value.__cause__ is None
    assert OLD not in repr(Seal([OLD]))


def test_what_was_never_sealed_is_told_as_another_key_is() -> None:
    for typed in ("né", "\udcff", "no seal", ""):
        with pytest.raises(SealedWithAnotherKey):
            Seal([NEW]).open(typed)
