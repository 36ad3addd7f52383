# Two images: `cli` runs every command, `review` serves the review page. See docs/docker.md.
#   docker build --target cli -t buffycoat .
#   docker build --target review -t buffycoat-review .
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
# torch without CUDA: 0.2 GB instead of 3 GB. For a GPU, the folder of a CUDA build, such as .../whl/cu130.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=fast,formats,fields,exchange,labels,serve
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /source
COPY constraints.txt ./
RUN python -m venv /opt/buffycoat \
    && grep -E '^(torch|torchvision)==' constraints.txt > torch.txt \
    && /opt/buffycoat/bin/pip install --index-url "${TORCH_INDEX}" -r torch.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/buffycoat/bin/pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON} AS cli
LABEL org.opencontainers.image.title="buffycoat" \
      org.opencontainers.image.description="Finds rare white blood cells in photographs of smears. Not a medical device." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 buffycoat \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp buffycoat
COPY --from=build /opt/buffycoat /opt/buffycoat
# All that is written outside /data goes to /tmp, so that the rest may be read-only.
ENV PATH=/opt/buffycoat/bin:$PATH \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    HF_HOME=/tmp/cache/huggingface \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["buffycoat"]
CMD ["--help"]

FROM cli AS review
EXPOSE 8642
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "buffycoat.serve.health"]
CMD ["review", "--help"]
