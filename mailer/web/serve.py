"""The web application for a server's process: `uvicorn --factory mailer.web.serve:create_app`."""

from mailer.starting import importing

with importing():
    from mailer.web.app import create_app

__all__ = ["create_app"]
