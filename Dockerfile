# Build:  docker build --target serve -t pricematch:0.1.0 .
#         docker build --target train -t pricematch-train:0.1.0 .
# Run:    see docker-compose.yml
ARG BASE=python:3.11-slim-bookworm

# what installs, and stays behind
# hadolint ignore=DL3006
FROM ${BASE} AS tools
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements-train.lock ./
RUN python3 -m venv /opt/build \
    && awk '/^setuptools==/, !/\\$/' requirements-train.lock > setuptools.lock \
    && /opt/build/bin/pip install --require-hashes -r setuptools.lock

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY app app
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels .

FROM tools AS build-train
RUN python3 -m venv --without-pip /opt/pricematch \
    && /opt/build/bin/pip --python /opt/pricematch/bin/python install --require-hashes -r requirements-train.lock
COPY --from=wheel /src/wheels wheels
RUN /opt/build/bin/pip --python /opt/pricematch/bin/python install --no-deps wheels/*.whl

# without the tests of packages, and without what OpenVINO has for other processors, for other kinds of models and for C++
FROM tools AS build-serve
COPY requirements-service.lock ./
RUN python3 -m venv --without-pip /opt/pricematch \
    && /opt/build/bin/pip --python /opt/pricematch/bin/python install --no-compile --require-hashes -r requirements-service.lock \
    && site="$(echo /opt/pricematch/lib/python3*/site-packages)" && libs="$site/openvino/libs" \
    && find "$site" -type d -name tests -prune -exec rm -r {} + \
    && rm -r "$site/openvino/include" "$libs/cache.json" "$libs"/libopenvino_intel_[gn]pu_plugin.so \
    && for kind in gguf jax onnx paddle pytorch tensorflow_lite; do rm "$libs/libopenvino_$kind"_*; done \
    && /opt/pricematch/bin/python -m compileall -q "$site"
COPY --from=wheel /src/wheels wheels
RUN /opt/build/bin/pip --python /opt/pricematch/bin/python install --no-deps wheels/*.whl

# the default encoder, so that a service answers with nothing trained
FROM build-serve AS models
RUN /opt/pricematch/bin/pricematch train encoder --recipe pretrained --models /src/models

# hadolint ignore=DL3006
FROM ${BASE} AS run
# the OpenMP runtime that LightGBM links to, whichever version the base image's Debian has
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --home-dir /srv --shell /usr/sbin/nologin pricematch \
    && install -d -o pricematch -g pricematch /srv/catalogue /srv/data
COPY --from=models --chown=pricematch:pricematch /src/models /srv/models
ENV PATH=/opt/pricematch/bin:$PATH \
    PYTHONUNBUFFERED=1
# the defaults of the settings are relative: /srv/catalogue, /srv/models, /srv/data
WORKDIR /srv
USER 10001
ENTRYPOINT ["pricematch"]

# everything offline: trains, evaluates, draws
FROM run AS train
COPY --from=build-train /opt/pricematch /opt/pricematch
ENV KERAS_HOME=/tmp/keras \
    MPLCONFIGDIR=/tmp/matplotlib
CMD ["train", "encoder"]

FROM run AS serve
COPY --from=build-serve /opt/pricematch /opt/pricematch
ENV PRICEMATCH_HOST=0.0.0.0
EXPOSE 8000
# ready, not merely alive: the start may embed a whole catalogue first
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('PRICEMATCH_PORT', 8000)}/readyz\", timeout=2)"]
CMD ["serve"]
