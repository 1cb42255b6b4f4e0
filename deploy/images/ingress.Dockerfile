# The door. It carries no celery, psycopg, marshmallow or requests: what is not there cannot be attacked.
# Build from the root of the repository: docker build --file deploy/images/ingress.Dockerfile .
FROM python:3.13-slim AS build
# --build-arg EXTRAS=tracing: with what sends traces (docs/metrics.md), requests among it.
ARG EXTRAS=
COPY deploy/images/ingress.lock deploy/images/ingress.tracing.lock /build/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement "/build/ingress${EXTRAS:+.${EXTRAS}}.lock" \
    && /opt/venv/bin/pip uninstall --yes pip
COPY schemas /app/schemas
COPY ingress /app/ingress
COPY deploy/gunicorn.conf.py deploy/gunicorn.platform.conf.py /app/deploy/
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
# The same image runs the platform listener: gunicorn -c deploy/gunicorn.platform.conf.py "ingress.health:create_app()"
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "ingress.app:create_app()"]
