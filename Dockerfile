# syntax=docker/dockerfile:1

# The binary that ships: slower to build than `--release`, smaller and faster.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# The caches live in the builder, not in the image; what is kept is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --profile dist --package server --bin tokenwright \
 && install -D -m 0755 target/dist/tokenwright /out/usr/local/bin/tokenwright
# 65532 is the user `nonroot` of the image below.
RUN install -d -m 0700 -o 65532 -g 65532 /out/var/lib/tokenwright

# The stand-in for crud-service, for stacks without the vendor's image: `--target crud-service`.
FROM build AS build-crud-service
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release --package crud-service --bin crud-service \
 && install -D -m 0755 target/release/crud-service /out-crud-service/usr/local/bin/crud-service

FROM gcr.io/distroless/cc-debian12:nonroot AS crud-service
COPY --from=build-crud-service /out-crud-service/usr/local/bin/crud-service /usr/local/bin/crud-service
ENV HTTP_PORT=3000
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/crud-service"]

# The gateway: `--target gateway`. Its proxy is built with cmake.
FROM build AS build-gateway
RUN apt-get update \
 && apt-get install -y --no-install-recommends cmake \
 && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --profile dist --package gateway --bin tokenwright-gateway \
 && install -D -m 0755 target/dist/tokenwright-gateway /out-gateway/usr/local/bin/tokenwright-gateway

FROM gcr.io/distroless/cc-debian12:nonroot AS gateway
COPY --from=build-gateway /out-gateway/usr/local/bin/tokenwright-gateway /usr/local/bin/tokenwright-gateway
COPY LICENSE /usr/share/doc/tokenwright/LICENSE
ENV TOKENWRIGHT_GATEWAY_CONFIG=/etc/tokenwright/gateway.yaml
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/tokenwright-gateway", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/tokenwright-gateway"]
CMD ["serve"]

# A C library, certificates, and nothing else: no shell, no package manager, no root. It is the last
# stage, so it is what is built where no target is named.
FROM gcr.io/distroless/cc-debian12:nonroot AS tokenwright
COPY --from=build --chown=65532:65532 /out/var/lib/tokenwright /var/lib/tokenwright
COPY --from=build /out/usr/local/bin/tokenwright /usr/local/bin/tokenwright
COPY LICENSE /usr/share/doc/tokenwright/LICENSE

ENV HTTP_PORT=3000 \
    TOKENWRIGHT__DATA_DIRECTORY=/var/lib/tokenwright
WORKDIR /var/lib/tokenwright
VOLUME /var/lib/tokenwright
EXPOSE 3000

HEALTHCHECK --interval=10s --timeout=6s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/tokenwright", "healthcheck"]

ENTRYPOINT ["/usr/local/bin/tokenwright"]
CMD ["serve"]
