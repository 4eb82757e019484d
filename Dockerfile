# JupyterLab with the kernel "Go (metamers)", the command metamers and the models that
# the project carries, on the CPU or an NVIDIA GPU:
#
#   docker build --target cpu -t metamers .
#   docker run --init --rm -p 127.0.0.1:8888:8888 -v "$PWD/study:/home/metamers/work" metamers
#   docker run --init --rm -v "$PWD/study:/home/metamers/work" metamers metamers reproduce --out work/out
#
#   docker build --target cuda -t metamers:cuda .
#   docker run --init --rm --gpus all -p 127.0.0.1:8888:8888 -v "$PWD/study:/home/metamers/work" metamers:cuda
#
# JupyterLab prints the address with its token. The mounted folder keeps runs and what is
# written to work/; it must be writable for the user that the image was built for
# (--build-arg UID="$(id -u)", default 1000). -v DATA:/data:ro brings CIFAR-10 and weights
# (README); --build-arg MODELS="resnet50 vit_small_patch16_224" pulls weights into the image.
#
# scripts/test-image.sh carries out the same steps without Docker.
FROM golang:1.27-trixie AS cpu
LABEL org.opencontainers.image.title="metamers" \
      org.opencontainers.image.description="Metamers of neural networks: the command, JupyterLab and its Go kernel" \
      org.opencontainers.image.source="https://github.com/ensemble-metamers/metamers" \
      org.opencontainers.image.licenses="Apache-2.0"
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY scripts/packages.sh /opt/packages.sh
RUN /opt/packages.sh && rm -rf /var/lib/apt/lists/*
ARG UID=1000
RUN useradd --create-home --uid "$UID" metamers && \
    install -d -o metamers /data /home/metamers/work /home/metamers/metamers
ENV HOME=/home/metamers GOPATH=/home/metamers/go PATH=/home/metamers/metamers/bin:$PATH \
    METAMERS_DATA=/data METAMERS_RUNS=/home/metamers/work/runs METAMERS_KERNEL_CHECKOUT=/home/metamers/metamers
USER $UID
WORKDIR /home/metamers/metamers
# What changes seldom first.
COPY --chown=metamers Makefile ./
COPY --chown=metamers scripts scripts
RUN make setup
COPY --chown=metamers . .
RUN make build lab-setup
ARG MODELS=""
RUN for m in $MODELS; do bin/metamers models pull "$m"; done; \
    bin/metamers doctor
WORKDIR /home/metamers
EXPOSE 8888
HEALTHCHECK --interval=30s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=5)"]
CMD ["/home/metamers/.cache/metamers/kernel/bin/metamers-kernel", "lab", "--folder=/home/metamers", "--", \
     "--ip=0.0.0.0", "--port=8888", "--no-browser", "--LabApp.default_url=/lab/tree/metamers/notebooks/00-quickstart.ipynb"]

# The GPU's driver comes from the host (--gpus), CUDA's libraries from PyPI.
FROM cpu AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN make -C metamers setup-cuda cuda-libraries
