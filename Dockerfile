# What browsers are given: Tabler, htmx, charts and the visual editor, by npm.
FROM python:3.12-slim AS assets
WORKDIR /assets
COPY requirements-node.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements-node.lock
COPY mailer/web/assets .
RUN python build.py

FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /app

# First what changes seldom, so that a new version of Steadypost builds in seconds.
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md ./
COPY mailer mailer
COPY worker worker
COPY templates templates
COPY docs/operating.md docs/
COPY --from=assets /assets/built mailer/web/assets/built
RUN pip install --no-deps --no-build-isolation --editable . \
    && useradd --system --uid 10001 steadypost \
    && install -d -o steadypost /data

USER steadypost
ENV STEADYPOST_DATA_DIR=/data
CMD ["uvicorn", "--factory", "mailer.web.serve:create_app", "--host", "0.0.0.0", "--port", "8025", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5"]
