# The training image: the whole pipeline, so that a cluster runs any stage with the tested code.
# Build it with `nox -s build-images`, which sets the arguments; the context is the repository's root.
#
# ACCELERATOR=cpu leaves out the libraries that only a GPU uses, cuda includes them; both take the locked torch. As in
# every session, UV_TORCH_BACKEND, which is TORCH_BACKEND here, takes another build of the same version, from PyTorch's
# own index: with cpu, the smallest.
ARG ACCELERATOR=cpu
# Every file that is made here has the same fixed time: a layer changes only when its content does.
ARG FILE_TIME=2000-01-01T00:00:00Z

# The one line that names the base image. Dependabot renews it; the variable BASE_IMAGE of docker-bake.hcl replaces it.
FROM python:3.13-slim-bookworm AS interpreter

FROM interpreter AS uv
ARG UV_VERSION
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_PYTHON_DOWNLOADS=never UV_SYSTEM_PYTHON=1
WORKDIR /build

# Only the files of packages that decide about dependencies: a change in another file stops here.
FROM interpreter AS projects
WORKDIR /build
COPY packages packages
RUN find packages -type f -not -name pyproject.toml -delete && find packages -type d -empty -delete

# This stage runs again whenever a pyproject.toml changes; the installation only if the output of this one changes.
# hashed.txt lists the packages that are installed by hash, with the libraries that the locked torch needs to load.
FROM uv AS lock
COPY pyproject.toml uv.lock VERSION ./
COPY --from=projects /build/packages packages
ARG ACCELERATOR
ARG TORCH_BACKEND
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN export=(uv export --frozen --quiet --no-dev --no-emit-workspace --package headworks-model) \
  && gpu=$("${export[@]}" --no-hashes --no-annotate --no-header | sed -nE 's/^((nvidia|cuda)-[a-z0-9-]+|triton)==.*/\1/p') \
  && case "${TORCH_BACKEND:-locked-${ACCELERATOR}}" in \
    locked-cuda) unused="" ;; \
    locked-cpu) unused=$(grep -E '^cuda-|-(cccl|cusolver|nvtx)$|^triton$' <<<"${gpu}") ;; \
    locked-*) echo "ACCELERATOR is ${ACCELERATOR}; it can be cpu or cuda" >&2; exit 1 ;; \
    *) unused="torch"$'\n'"${gpu}" ;; \
  esac \
  && mapfile -t left_out < <(sed -n 's/^./--no-emit-package=&/p' <<<"${unused}") \
  && "${export[@]}" "${left_out[@]}" --output-file hashed.txt \
  && uv export --frozen --quiet --only-group backend --output-file backend.txt

FROM uv AS wheels
COPY --from=lock /build/backend.txt ./
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --quiet --require-hashes --requirements backend.txt
COPY VERSION ./
COPY packages/data packages/data
COPY packages/model packages/model
RUN for name in data model; do \
    uv build --quiet --wheel --no-build-isolation --out-dir wheels "packages/${name}" || exit 1; \
  done

FROM interpreter
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
  HOME=/tmp USER=headworks PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ARG ACCELERATOR
ARG FILE_TIME
ARG TORCH_VERSION
ARG TORCH_BACKEND
RUN --mount=type=bind,from=uv,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
  --mount=type=bind,from=lock,source=/build/hashed.txt,target=/tmp/hashed.txt \
  --mount=type=cache,target=/tmp/cache \
  export UV_CACHE_DIR=/tmp/cache UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
  && uv venv --quiet "${VIRTUAL_ENV}" \
  && uv pip install --quiet --require-hashes --no-deps --requirements /tmp/hashed.txt \
  && if [ -n "${TORCH_BACKEND}" ]; then uv pip install --quiet --torch-backend "${TORCH_BACKEND}" "torch==${TORCH_VERSION}"; \
    elif [ "${ACCELERATOR}" = cpu ]; then \
      find "${VIRTUAL_ENV}"/lib/python3*/site-packages/nvidia \( -name 'libcudnn_*' -o -name '*.a' -o -name '*.bc' \) -delete; fi \
  && python -m compileall -q -j 0 --invalidation-mode unchecked-hash "${VIRTUAL_ENV}/lib" \
  && find "${VIRTUAL_ENV}" -exec touch --no-dereference --date="${FILE_TIME}" {} +
RUN --mount=type=bind,from=uv,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
  --mount=type=bind,from=wheels,source=/build/wheels,target=/tmp/wheels \
  uv pip install --quiet --no-cache --no-deps --link-mode=copy --compile-bytecode /tmp/wheels/*.whl \
  && find "${VIRTUAL_ENV}" -newermt "${FILE_TIME}" -exec touch --no-dereference --date="${FILE_TIME}" {} +
# The settings of the stages have the same paths as in the repository, so that its commands work here unchanged.
WORKDIR /work
COPY packages/data/*.toml packages/data/
COPY packages/model/*.toml packages/model/
USER 65532:65532
CMD ["python", "-m", "headworks_model", "--help"]

ARG VERSION
ARG COMMIT
ARG SOURCE
ARG BASE_NAME
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="headworks-training" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.base.name="${BASE_NAME}" \
  org.opencontainers.image.base.digest="${BASE_DIGEST}"
