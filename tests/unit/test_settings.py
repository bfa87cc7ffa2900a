"""Settings refuse to start when they are wrong, and never show a secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailer.audience.suppression import who_may_lift
from mailer.errors import BadSetting
from mailer.models import Lane, SuppressionReason
from mailer.reports.settings import MEANING
from mailer.settings import Settings, load_settings, local_secret_key

KEY = "k" * 40


def test_nothing_set_means_embedded_parts() -> None:
    settings = load_settings({})
    assert settings.database_url is None
    assert settings.redis_url is None
    assert settings.smtp_url is None


def test_a_secret_can_be_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert load_settings({"STEADYPOST_SECRET_KEY_FILE": str(file)}).secret_key == (KEY,)


def test_old_keys_follow_after_a_comma() -> None:
    assert load_settings({"STEADYPOST_SECRET_KEY": f"{KEY}, {'o' * 40}"}).secret_key == (KEY, "o" * 40)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("STEADYPOST_SMPT_URL", "smtp://x", "did you mean STEADYPOST_SMTP_URL"),
        ("STEADYPOST_DATABASE_URL", "mysql://x", "postgresql://"),
        ("STEADYPOST_REDIS_URL", "http://x", "redis://"),
        ("STEADYPOST_SMTP_URL", "mail.example.org", "smtp://user:password@host:587"),
        ("STEADYPOST_SMTP_URL", "smtp://ada:hunter#2@relay:587", "%23"),
        ("STEADYPOST_DATABASE_URL", "postgresql://ada:hunter2@host:five/db", "no port number"),
        ("STEADYPOST_BASE_URL", "example.org", "https://news.example.org"),
        ("STEADYPOST_SECRET_KEY", "short", "32 characters"),
        ("STEADYPOST_AFTER_CUT", "lessons=hold", "each of transactional, course, campaign"),
        ("STEADYPOST_AFTER_CUT", "course=hold,course=resend", "at most once"),
        ("STEADYPOST_AFTER_CUT", "course=twice", "course: Input should be 'resend' or 'hold'"),
        ("STEADYPOST_SUPPRESSION_DAYS", "complaint=30", "each of soft-bounce, hard-bounce"),
        ("STEADYPOST_SUPPRESSION_DAYS", "soft-bounce=soon", "soft-bounce: Input should be a valid integer"),
        ("STEADYPOST_LIFTED_BY", "manual=everybody", "manual: Input should be 'marketer'"),
        ("STEADYPOST_LOG_FORMAT", "xml", "'text' or 'json'"),
        ("STEADYPOST_SECRET_KEY_FILE", "/nowhere/key", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load_settings({name: value})
    assert name in str(refused.value)
    assert sentence in str(refused.value)


def test_a_password_in_a_wrong_setting_is_not_repeated() -> None:
    with pytest.raises(BadSetting) as refused:
        load_settings({"STEADYPOST_SMTP_URL": "imap://ada:hunter2@host"})
    assert "hunter2" not in str(refused.value)


def test_no_secret_shows_when_settings_are_printed() -> None:
    settings = load_settings({"STEADYPOST_SECRET_KEY": KEY, "STEADYPOST_SMTP_URL": "smtp://ada:hunter2@host"})
    assert KEY not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_settings_survive_the_way_to_a_child_process() -> None:
    settings = load_settings(
        {
            "STEADYPOST_SECRET_KEY": KEY,
            "STEADYPOST_SMTP_URL": "smtp://a:b@c:25",
            "STEADYPOST_AFTER_CUT": "course=hold",
            "STEADYPOST_SUPPRESSION_DAYS": "soft-bounce=never",
        }
    )
    assert load_settings(settings.as_environment()) == settings


def test_what_a_setting_of_several_does_not_name_keeps_its_default() -> None:
    settings = load_settings({"STEADYPOST_AFTER_CUT": " campaign = resend ,"})
    assert str(settings.after_cut) == "transactional=resend,course=resend,campaign=resend"


def test_lanes_and_reasons_are_called_the_same_in_settings_as_everywhere() -> None:
    settings = load_settings({})
    assert list(settings.after_cut.model_dump()) == list(Lane)
    assert set(who_may_lift(settings)) == set(SuppressionReason)


def test_the_local_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    key = local_secret_key(tmp_path)
    assert len(key) >= 32
    assert local_secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_an_outage_may_last_six_hours_unless_somebody_says_otherwise() -> None:
    assert load_settings({}).hold_after == timedelta(hours=6)
    assert load_settings({"STEADYPOST_HOLD_AFTER_HOURS": "1.5"}).hold_after == timedelta(minutes=90)
    with pytest.raises(BadSetting, match="HOLD_AFTER_HOURS is wrong"):
        load_settings({"STEADYPOST_HOLD_AFTER_HOURS": "0"})


def test_an_instance_token_that_could_be_guessed_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadSetting, match="at least 16 characters") as refused:
        load_settings({"STEADYPOST_INSTANCE_TOKEN": "short-one"})
    assert "short-one" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ISSUER", "http://sso.example.org"),
        ("OIDC_ISSUER", "sso.example.org"),
        ("OIDC_ROLES", "groups/editors=emperor"),
        ("OIDC_ROLES", "editors=marketer"),
        ("SECOND_FACTOR", "emperor"),
    ],
)
def test_how_people_sign_in_is_checked_at_the_start(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"STEADYPOST_{name}"):
        load_settings({f"STEADYPOST_{name}": value})


def test_what_a_provider_says_of_people_survives_the_way_to_a_child_process() -> None:
    settings = load_settings({"STEADYPOST_OIDC_ROLES": "groups//admins=owner, groups/editors=marketer"})
    assert settings.oidc_roles == ("groups//admins=owner", "groups/editors=marketer")
    assert load_settings(settings.as_environment()).oidc_roles == settings.oidc_roles


def test_where_a_setting_comes_from_is_known_to_child_processes_too(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    settings = load_settings(
        {"STEADYPOST_KEEP_MONTHS": "12", "STEADYPOST_SECRET_KEY_FILE": str(tmp_path / "key")}
    )
    child = load_settings(settings.replace(smtp_url="smtp://127.0.0.1").as_environment())
    names = ("keep_months", "secret_key", "smtp_url", "log_format")
    assert [child.origin_of(name) for name in names] == ["environment", "file", "default", "default"]
    alone = load_settings(load_settings({}).as_environment())
    assert alone.origin_of("data_dir") == "default"


def test_every_setting_has_its_meaning() -> None:
    told = [name for fields in MEANING.values() for name in fields]
    assert sorted(told) == sorted(Settings.model_fields)
