# The window: read API, the pages for people, and the `alert-intake` command (migrate, audit, doctor and so on).
# Build from the root of the repository: docker build --file deploy/images/console.Dockerfile .
FROM python:3.13-slim AS build
COPY deploy/images/console.lock /build/console.lock
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement /build/console.lock \
    && /opt/venv/bin/pip uninstall --yes pip
COPY pyproject.toml deploy/images/name_version.py /build/
RUN python /build/name_version.py /build/pyproject.toml /app
COPY schemas /app/schemas
COPY console /app/console
COPY deploy/__init__.py deploy/migrations.py deploy/gunicorn.console.conf.py /app/deploy/
COPY deploy/postgres /app/deploy/postgres
COPY --chmod=0755 deploy/images/alert-intake /opt/venv/bin/alert-intake
RUN /opt/venv/bin/python -m compileall -q /app

FROM python:3.13-slim
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --chmod=0755 deploy/images/start /usr/local/bin/start
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1
WORKDIR /app
# A number, so that a platform can see that it is not root.
USER 10001:10001
ENTRYPOINT ["start"]
CMD ["gunicorn", "-c", "deploy/gunicorn.console.conf.py", "console.app:create_app()"]
