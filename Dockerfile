# The command on the CPU, with its XLA plugin. JupyterLab comes with the kernel.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV METAMERS_CACHE=/opt/metamers
COPY scripts scripts
RUN scripts/setup.sh
COPY . .
RUN make build

FROM debian:bookworm-slim
RUN useradd --create-home metamers && mkdir -p /data /runs && chown metamers /runs
COPY --from=build --chown=metamers /opt/metamers /opt/metamers
COPY --from=build /src/bin/metamers /usr/local/bin/metamers
ENV METAMERS_CACHE=/opt/metamers METAMERS_DATA=/data
USER metamers
WORKDIR /runs
ENTRYPOINT ["metamers"]
CMD ["doctor"]
