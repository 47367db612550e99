# The streamer and its chat bot in one image of 2 GB, most of it PyTorch; with CUDA, three or four times as much.
#
#   docker build -t zoomdream .                                  dreams on the CPU
#   docker build -t zoomdream:cuda --build-arg TORCH=cuda .      dreams, and encodes, on an NVIDIA GPU
#   docker build -t zoomdream:ray --build-arg EXTRAS=twitch,imagenet,ray .     has it dream on a Ray cluster, or is a node of one
#
#   docker run --rm -e ZOOMDREAM_WEB_TOKEN="$(openssl rand -hex 16)" -p 127.0.0.1:8080:8080 \
#     --read-only --tmpfs /tmp --shm-size 256m -v zoomdream:/var/lib/zoomdream zoomdream
#
# With a GPU: zoomdream:cuda, and --gpus all. compose.yaml has all of this, and the bot in a container of its own.

FROM python:3.12-slim-bookworm AS build
ARG TORCH=cpu
ARG EXTRAS=twitch,imagenet
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/zoomdream
ENV PATH=/opt/zoomdream/bin:$PATH
# First what is large and seldom changes. '+cpu' fails where that build is not to be had, instead of fetching gigabytes of CUDA.
# torchvision has no number: each of its releases asks for one torch.
# hadolint ignore=DL3013
RUN case "$TORCH" in \
        cpu) pip install --extra-index-url https://download.pytorch.org/whl/cpu "torch==2.13.0+cpu" torchvision ;; \
        cuda) pip install "torch==2.13.0" torchvision ;; \
        *) echo "TORCH is '$TORCH'; must be cpu or cuda" >&2; exit 2 ;; \
    esac
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY assets assets
COPY configs configs
COPY shared shared
COPY bot bot
COPY streamer streamer
RUN pip freeze | grep -E '^torch' > /tmp/constraints.txt \
    && pip install --constraint /tmp/constraints.txt ".[$EXTRAS]"

FROM python:3.12-slim-bookworm
# Captions in any script; Debian's point releases move versions on, so they have none here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-dejavu-core fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/zoomdream --shell /usr/sbin/nologin zoomdream \
    && install -d -o zoomdream -g zoomdream -m 750 /var/lib/zoomdream
COPY --from=build /opt/zoomdream /opt/zoomdream
# Queue, logins, downloaded weights and recordings lie in one volume; nothing else is written but to /tmp and /dev/shm.
ENV PATH=/opt/zoomdream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_STATE_HOME=/var/lib/zoomdream/state \
    XDG_CACHE_HOME=/var/lib/zoomdream/cache \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
USER 10001:10001
WORKDIR /var/lib/zoomdream
VOLUME /var/lib/zoomdream
EXPOSE 8080
# The first start may fetch weights; after that, /healthz answers 503 with the reasons when something is wrong.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["zoomdream"]
CMD ["run", "--set", "web.host=0.0.0.0"]
