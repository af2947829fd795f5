# The serving image: one exported model behind an HTTP server, with its locked dependencies and nothing else.
# Build it with `nox -s build-images`, which sets the arguments; the context is the repository's root.
# Every file that is made here has the same fixed time: a layer changes only when its content does.
ARG FILE_TIME=2000-01-01T00:00:00Z

# The one line that names the base image. Dependabot renews it; the variable BASE_IMAGE of docker-bake.hcl replaces it.
FROM python:3.13-slim-bookworm AS interpreter

FROM interpreter AS uv
ARG UV_VERSION
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_SYSTEM_PYTHON=1
WORKDIR /build

# Only the files of packages that decide about dependencies: a change in another file stops here.
FROM interpreter AS projects
WORKDIR /build
COPY packages packages
RUN find packages -type f -not -name pyproject.toml -delete && find packages -type d -empty -delete

# This stage runs again whenever a pyproject.toml changes; the next one only if the output of this one changes.
FROM uv AS lock
COPY pyproject.toml uv.lock VERSION ./
COPY --from=projects /build/packages packages
RUN uv export --frozen --quiet --no-dev --no-emit-workspace --package headworks-serving --extra signature --output-file serving.txt \
  && uv export --frozen --quiet --only-group backend --output-file backend.txt

# Each stage below lays out one layer under /layer, parents included, and gives all of it the same time.
FROM uv AS dependencies
COPY --from=lock /build/serving.txt ./
WORKDIR /layer/opt/dependencies
RUN --mount=type=cache,target=/root/.cache/uv \
  uv pip install --quiet --require-hashes --requirements /build/serving.txt --target .
# Left out: tests, stubs, and the parts of ONNX Runtime that make models, or that other languages than Python link to.
# Bytecode without times spares a read-only container its compilation and is the same in every build.
ARG FILE_TIME
RUN rm -rf bin .lock numpy/f2py onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/datasets \
    onnxruntime/capi/libonnxruntime.so* \
  && find . -type d -name tests -prune -exec rm -rf {} + && find . -name '*.pyi' -delete \
  && python -m compileall -q --invalidation-mode unchecked-hash . \
  && find /layer -exec touch --no-dereference --date="${FILE_TIME}" {} +

FROM uv AS package
COPY --from=lock /build/backend.txt ./
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --quiet --require-hashes --requirements backend.txt
COPY VERSION ./
COPY packages/serving packages/serving
ARG FILE_TIME
RUN uv build --quiet --wheel --no-build-isolation --out-dir wheels packages/serving \
  && python -m zipfile --extract wheels/*.whl /layer/opt/serving \
  && python -m compileall -q --invalidation-mode unchecked-hash /layer/opt/serving \
  && find /layer -exec touch --date="${FILE_TIME}" {} +

FROM interpreter AS model
COPY artifacts/export/model.onnx /layer/opt/model/
ARG FILE_TIME
RUN chmod 0444 /layer/opt/model/model.onnx && find /layer -exec touch --date="${FILE_TIME}" {} +

# A server needs no installer, no program that runs as another user, and no leftovers of installers.
FROM interpreter AS base
ARG FILE_TIME
RUN PYTHONDONTWRITEBYTECODE=1 pip uninstall --yes --quiet --root-user-action ignore pip \
  && rm -rf /usr/local/lib/python3*/ensurepip \
  && find /root /tmp /var/cache /var/lib/apt/lists /var/log /var/tmp -xdev -type f -delete \
  && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
  && find / -xdev -type d -not -fstype proc -not -fstype sysfs -exec touch --date="${FILE_TIME}" {} +

# From scratch, with a copy of the whole file system: removed files would stay in the layers of the base.
FROM scratch
# hadolint ignore=DL3067
COPY --link --from=base / /
COPY --link --from=dependencies /layer /
COPY --link --from=package /layer /
COPY --link --from=model /layer /
ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
  PYTHONPATH=/opt/serving:/opt/dependencies PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "headworks_serving", "/opt/model/model.onnx"]
CMD ["--host", "0.0.0.0", "--port", "8000"]

ARG VERSION
ARG COMMIT
ARG SOURCE
ARG BASE_NAME
ARG BASE_DIGEST
ARG MODEL_DIGEST
ARG DATASET_DIGEST
LABEL org.opencontainers.image.title="headworks-serving" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.base.name="${BASE_NAME}" \
  org.opencontainers.image.base.digest="${BASE_DIGEST}" \
  headworks.model.digest="${MODEL_DIGEST}" \
  headworks.dataset.digest="${DATASET_DIGEST}"
