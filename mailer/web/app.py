"""The web application; `mailer.web.serve` has it for a server's process."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.gzip import GZipMiddleware

from mailer.logs import set_up_logs
from mailer.settings import Settings, load_settings
from mailer.web import files, health
from mailer.web.account import (
    factor,
    first_run,
    forgotten,
    join,
    passkeys,
    provider,
    recovery,
    sign_in,
    tokens,
    you,
)
from mailer.web.api import documentation
from mailer.web.api.app import PATH as API
from mailer.web.api.app import make_api
from mailer.web.deps import make_parts
from mailer.web.failures import show_failures
from mailer.web.marketer import archive as archive_choice
from mailer.web.marketer import (
    campaign_audience,
    campaign_sending,
    campaigns,
    composer,
    courses,
    forms,
    guide_again,
    home,
    imports,
    labels,
    links,
    list_acts,
    lists,
    new_course,
    pictures,
    publications,
    reports,
    segments,
    sending,
    series,
    simulation,
    statement,
    steps,
    subscriber,
    subscribers,
    suppressions,
    visual,
)
from mailer.web.operator import alarms, audit, board, deliveries, guide, history, holds, senders, transports
from mailer.web.owner import people, webhooks
from mailer.web.owner import settings as settings_page
from mailer.web.subscriber import (
    archive,
    check_in,
    confirm,
    data,
    form,
    link,
    mail,
    manage,
    pace,
    progress,
    unsubscribe,
)
from mailer.web.watchman import watching

MAX_BODY_BYTES = 64 * 1024
# Spans and request logs carry addresses, and an address here is somebody's key.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application with its pages; raises BadSetting when a setting is wrong or missing."""
    if settings is None:
        # As a server's process, and no test's: uvicorn has set up its own logs before it asks for the app.
        settings = load_settings()
        set_up_logs(settings)
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        lifespan=watching,
        max_body_size=MAX_BODY_BYTES,
        telemetry=NO_TELEMETRY,
    )
    app.state.parts = make_parts(settings)
    for pages in (health, files, form, archive):
        app.include_router(pages.router)
    for mail_pages in (confirm, link, mail, unsubscribe, manage, pace, check_in, progress, data):
        app.include_router(mail_pages.router)
    for own_pages in (sign_in, provider, factor, passkeys, recovery, forgotten, join, you, tokens, first_run):
        app.include_router(own_pages.router)
    for watch_pages in (home, board, history, guide, deliveries, holds, alarms):
        app.include_router(watch_pages.router)
    for desk_pages in (audit, senders, transports, people, webhooks, settings_page):
        app.include_router(desk_pages.router)
    app.include_router(documentation.router)
    app.mount(API, make_api(app.state.parts, telemetry=NO_TELEMETRY))
    for write_pages in (
        courses,
        new_course,
        guide_again,
        steps,
        pictures,
        publications,
        simulation,
        forms,
        archive_choice,
    ):
        app.include_router(write_pages.router)
    for read_pages in (sending, statement, links, reports):
        app.include_router(read_pages.router)
    for campaign_pages in (campaigns, composer, visual, campaign_audience, campaign_sending, series):
        app.include_router(campaign_pages.router)
    for audience_pages in (
        subscribers,
        subscriber,
        list_acts,
        lists,
        labels,
        segments,
        suppressions,
        imports,
    ):
        app.include_router(audience_pages.router)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    show_failures(app)
    return app
