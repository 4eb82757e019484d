# The command on the CPU, with its XLA plugin:
#
#   docker build -t metamers .
#   docker run --rm -v metamers:/cache -v "$PWD/data:/data:ro" metamers synth --models resnet20 --stage late --images cifar10:16
#
# /data has CIFAR-10 and weights/ (see the README); runs and downloads go to /cache.
# JupyterLab is not in it: make lab.
FROM golang:1.26-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts scripts
# Where no plugin is published /opt/pjrt stays empty, and the pure-Go backend computes.
RUN METAMERS_CACHE=/opt/setup scripts/setup.sh && mkdir /opt/pjrt && \
    if [ -d /opt/setup ]; then find /opt/setup -name '*.so' -exec mv -t /opt/pjrt {} +; fi
COPY . .
RUN make build

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libstdc++6 && rm -rf /var/lib/apt/lists/* && \
    useradd --create-home metamers && mkdir /data /cache && chown metamers /cache
COPY --from=build /opt/pjrt /opt/pjrt
COPY --from=build /src/bin/metamers /usr/local/bin/metamers
ENV PJRT_PLUGIN_LIBRARY_PATH=/opt/pjrt METAMERS_CACHE=/cache METAMERS_DATA=/data
USER metamers
WORKDIR /cache
VOLUME /cache
ENTRYPOINT ["metamers"]
CMD ["doctor"]
