# Build:  docker build -t pricematch .
# Run:    see docker-compose.yml
ARG BASE=python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/pricematch
WORKDIR /src
COPY requirements-service.lock ./
RUN /opt/pricematch/bin/pip install --require-hashes -r requirements-service.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN /opt/pricematch/bin/pip install --no-deps --no-build-isolation .

# hadolint ignore=DL3006
FROM ${BASE}
# the OpenMP runtime that LightGBM links to, whichever version the base image's Debian has
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --home-dir /srv --shell /usr/sbin/nologin pricematch \
    && install -d -o pricematch -g pricematch /srv/catalogue /srv/models /srv/data
COPY --from=build /opt/pricematch /opt/pricematch
ENV PATH=/opt/pricematch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KERAS_HOME=/tmp/keras \
    PRICEMATCH_HOST=0.0.0.0
# the defaults of the settings are relative: /srv/catalogue, /srv/models, /srv/data
WORKDIR /srv
USER 10001
EXPOSE 8000
# ready, not merely alive: the start may embed a whole catalogue first
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('PRICEMATCH_PORT', 8000)}/readyz\", timeout=2)"]
ENTRYPOINT ["pricematch"]
CMD ["serve"]
