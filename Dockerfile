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

# A C library, certificates, and nothing else: no shell, no package manager, no root.
FROM gcr.io/distroless/cc-debian12:nonroot
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
