# syntax=docker/dockerfile:1
# The program alone, in a small image:
#
#     docker build -t orderflow .
#     docker run --rm orderflow help
#
# docker-compose.yml runs it with a broker and a registry.

FROM debian:13 AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config \
        librdkafka-dev libavro-dev libck-dev liburcu-dev libcurl4-openssl-dev libssl-dev libjansson-dev \
        zlib1g-dev libsnappy-dev liblz4-dev libzstd-dev \
        libmicrohttpd-dev libjemalloc-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake/ cmake/
COPY schemas/ schemas/
COPY etc/ etc/
COPY packaging/ packaging/
COPY src/ src/
# What the Debian package holds, but for the documents.
RUN cmake --preset package \
 && cmake --build build/package \
 && DESTDIR=/installed cmake --install build/package --strip

FROM debian:13-slim
# curl is for health checks; its library is needed anyway.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
        librdkafka1 libck0t64 liburcu8t64 libcurl4t64 libssl3t64 libjansson4 libmicrohttpd12t64 libjemalloc2 \
        zlib1g libsnappy1v5 liblz4-1 libzstd1 \
        ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 orderflow \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin orderflow
COPY --from=build /installed/ /
# In numbers, so that an engine can tell that it is not root.
USER 10001:10001
# To be mounted over; variables and flags win over it.
ENV ORDERFLOW_CONFIG=/etc/orderflow/orderflow.conf
# Health is served on all addresses of the container; who may reach it is the container engine's business.
ENV ORDERFLOW_HTTP=0.0.0.0:8080
EXPOSE 8080
# Of `run`, the only command that serves health; containers with another one must disable it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--max-time", "4", "http://127.0.0.1:8080/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["orderflow"]
CMD ["help"]
