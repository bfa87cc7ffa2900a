"""To the identity provider and back."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mailer.accounts.oidc import Provider, ProviderFailed, begin, finish, provider_of
from mailer.accounts.provider import sign_in_as
from mailer.accounts.sessions import session_now
from mailer.accounts.throttle import TooOften, Try
from mailer.errors import MailerError, NotFound
from mailer.web.account.sign_in import form, page_of_ours
from mailer.web.cookie import set_cookie
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.sealed_cookie import drop, give, take

router = APIRouter()


@router.get("/desk/sign-in/provider")
def go(request: Request, parts: PartsDep, next: str = "") -> Response:  # noqa: A002
    """To the provider, with a question that only this browser can bring the answer to."""
    try:
        _not_too_often(request, parts)
        begun = begin(_provider(parts), _back(parts))
    except (ProviderFailed, TooOften) as error:
        return form(request, parts, next, error=str(error))
    answer = RedirectResponse(begun.url, 303, headers=PRIVATE_HEADERS)
    kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "next": next}
    with parts.session() as session:
        give(answer, parts, "provider", kept, session_now(session))
    return answer


@router.api_route("/desk/sign-in/provider/back", methods=READ)
def back(request: Request, parts: PartsDep) -> Response:
    """In, or the page to sign in at, with why not."""
    with parts.session() as session:
        kept = take(request, parts, "provider", session_now(session))
    if kept is None:
        return form(request, parts, "", error="It took too long, or another browser began it. Try again.")
    try:
        _not_too_often(request, parts)
        who = finish(
            _provider(parts),
            _back(parts),
            request.query_params,
            state=kept["state"],
            nonce=kept["nonce"],
            verifier=kept["verifier"],
        )
        browser = request.headers.get("user-agent", "")
        with parts.session() as session:
            secret = sign_in_as(session, who, session_now(session), browser=browser)
    except MailerError as error:
        return form(request, parts, kept["next"], error=str(error))
    answer = parts.desk.go(page_of_ours(kept["next"]))
    set_cookie(answer, parts.base_url, secret)
    drop(answer, parts, "provider")
    return answer


def _not_too_often(request: Request, parts: Parts) -> None:
    """Raises TooOften: each asks the provider, which strangers must not do for long."""
    parts.throttle.take(Try.PROVIDER, request.client.host if request.client else "")


def _provider(parts: Parts) -> Provider:
    found = provider_of(parts.settings)
    if found is None:
        raise NotFound("No identity provider is set; STEADYPOST_OIDC_ISSUER names one.")
    return found


def _back(parts: Parts) -> str:
    return f"{parts.base_url}/desk/sign-in/provider/back"
