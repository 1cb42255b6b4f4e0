# The workshop: drain, enrich, forward and beat, chosen by the command.
# Build from the root of the repository: docker build --file deploy/images/workers.Dockerfile .
FROM python:3.13-slim AS build
# --build-arg EXTRAS=tracing: with what sends traces (docs/metrics.md).
ARG EXTRAS=
COPY deploy/images/workers.lock deploy/images/workers.tracing.lock /build/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement "/build/workers${EXTRAS:+.${EXTRAS}}.lock" \
    && /opt/venv/bin/pip uninstall --yes pip
COPY schemas /app/schemas
COPY workers /app/workers
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
CMD ["celery", "-A", "workers.app", "worker", "-Q", "drain", "-P", "prefork", "-c", "2", "-n", "drain@%h", "--without-gossip", "--without-mingle"]
