"""The mails that are nobody's course: confirm and welcome, in each language there is."""

from __future__ import annotations

import pytest

from mailer.content.assemble import CompiledMessage
from mailer.content.expressions import Tag, faults_of, find_tags
from mailer.content.system_mails import SYSTEM_MAILS, compile_system_mail
from mailer.content.variables import Where, author_environment, sample_context
from mailer.errors import NotFound
from mailer.i18n import languages


def rendered(message: CompiledMessage, part: str) -> str:
    environment = author_environment(autoescape=part == "html")
    return environment.from_string(getattr(message, part)).render(sample_context())


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("name", SYSTEM_MAILS)
def test_system_mails_use_only_variables_that_are_there(name: str, language: str) -> None:
    message = compile_system_mail(name, language)
    for part in (message.subject, message.preheader, message.html, message.text):
        for tag in find_tags(part):
            assert isinstance(tag, Tag)
            if tag.inside != '"{"':
                assert list(faults_of(tag, Where.SYSTEM_MAILS)) == []


@pytest.mark.parametrize("name", SYSTEM_MAILS)
def test_system_mails_are_in_the_readers_language(name: str) -> None:
    assert "You receive this because" in rendered(compile_system_mail(name, "en"), "text")
    assert "Sie bekommen diese Mail" in rendered(compile_system_mail(name, "de"), "text")
    assert 'lang="de"' in rendered(compile_system_mail(name, "de"), "html")


def test_what_no_catalogue_has_is_in_english() -> None:
    assert "Is this your address?" in rendered(compile_system_mail("confirm", "fr"), "text")


def test_a_confirmation_shows_one_link_and_nothing_to_leave() -> None:
    message = compile_system_mail("confirm", "en")
    assert rendered(message, "subject") == "Please confirm: A quiet neck"
    for part in ("html", "text"):
        assert "https://mail.example.org/confirm/sample" in rendered(message, part)
        assert "unsubscribe" not in rendered(message, part).lower()


def test_a_welcome_says_when_the_first_lesson_comes_and_how_to_leave() -> None:
    message = compile_system_mail("welcome", "en")
    assert rendered(message, "subject") == "Welcome to “A quiet neck”"
    for part in ("html", "text"):
        assert "Tuesday, August 4, 2026" in rendered(message, part)
        assert "https://mail.example.org/m/sample/unsubscribe" in rendered(message, part)


def test_there_are_no_other_system_mails() -> None:
    with pytest.raises(NotFound):
        compile_system_mail("../layout", "en")
