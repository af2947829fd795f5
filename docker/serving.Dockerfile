# The serving image: one exported model behind an HTTP server, with what uv.lock names and nothing else.
# Build it with `nox -s build-images`, which sets the arguments; the context is the repository's root.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS uv
ARG UV_VERSION
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_SYSTEM_PYTHON=1
WORKDIR /build

# This stage runs again whenever a pyproject.toml changes; the next one only if that changes what it wrote.
FROM uv AS lock
COPY pyproject.toml uv.lock VERSION ./
COPY packages packages
RUN uv export --frozen --quiet --no-dev --no-emit-workspace --package headgate-serving --output-file serving.txt \
  && uv export --frozen --quiet --only-group backend --output-file backend.txt

FROM uv AS dependencies
COPY --from=lock /build/serving.txt ./
# Bytecode that carries no times keeps the layer the same and spares a read-only container its compilation.
RUN --mount=type=cache,target=/root/.cache/uv \
  uv pip install --quiet --require-hashes --requirements serving.txt --target /opt/dependencies \
  && rm -rf /opt/dependencies/bin /opt/dependencies/.lock \
  && python -m compileall -q --invalidation-mode unchecked-hash /opt/dependencies

FROM uv AS package
COPY --from=lock /build/backend.txt ./
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --quiet --require-hashes --requirements backend.txt
COPY VERSION ./
COPY packages/serving packages/serving
RUN uv build --quiet --wheel --no-build-isolation --out-dir wheels packages/serving \
  && uv pip install --quiet --no-deps --target /opt/serving wheels/*.whl \
  && rm -rf /opt/serving/.lock \
  && python -m compileall -q --invalidation-mode unchecked-hash /opt/serving

# hadolint ignore=DL3006 # the base is named, with its tag, at the top
FROM ${BASE_IMAGE}
# The server needs no installer, and what is not there cannot be abused.
RUN pip uninstall --yes --quiet pip && rm -rf /root/.cache
COPY --link --from=dependencies /opt/dependencies /opt/dependencies
COPY --link --from=package /opt/serving /opt/serving
COPY --link artifacts/export/model.onnx /opt/model/model.onnx
ENV PYTHONPATH=/opt/serving:/opt/dependencies PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /opt/model
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "headgate_serving", "/opt/model/model.onnx"]
CMD ["--host", "0.0.0.0", "--port", "8000"]

ARG VERSION
ARG COMMIT
ARG SOURCE
ARG MODEL_DIGEST
ARG DATASET_DIGEST
LABEL org.opencontainers.image.title="headgate-serving" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.source="${SOURCE}" \
  headgate.model.digest="${MODEL_DIGEST}" \
  headgate.dataset.digest="${DATASET_DIGEST}"
