# The program in a small image, and nothing of a project:
#
#     docker build -t meterhouse .
#     docker run -v "$PWD/bill:/bill" meterhouse run
#
# `docs/service.md` says what a service in a container needs.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# What was fetched and built before is kept for the next time, outside of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin meterhouse \
    && cp target/release/meterhouse /meterhouse

FROM debian:bookworm-slim
# For warehouses, collectors and receivers that are reached over TLS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /meterhouse /usr/local/bin/meterhouse
# The project is mounted here, or copied by an image that is made from this one.
RUN useradd --uid 10001 --create-home --home-dir /bill meterhouse
USER 10001
WORKDIR /bill
ENV METERHOUSE_PROJECT=/bill
# Reached from outside of the container; without keys and TLS a service refuses that, and says what it needs.
ENV METERHOUSE_SERVE_BIND=0.0.0.0:8473
EXPOSE 8473
# No HEALTHCHECK: the image has no program that asks over HTTP, and whoever runs containers can ask for /healthz.
ENTRYPOINT ["meterhouse"]
CMD ["serve"]
