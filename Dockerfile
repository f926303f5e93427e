# syntax=docker/dockerfile:1
# The API: one binary on an image without a shell. `docker build --build-arg GAPLESS_COMMIT=$(git rev-parse --short HEAD) .`

FROM rust:1.95-slim-trixie AS build
WORKDIR /build

# Dependencies first, with empty sources: this layer is cached until the lock file changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY xtask/Cargo.toml xtask/
COPY chaos/Cargo.toml chaos/
COPY client/Cargo.toml client/
COPY embedded-postgres/Cargo.toml embedded-postgres/
RUN mkdir -p src/bin xtask/src chaos/src client/src embedded-postgres/src benches/load tests \
    && touch src/lib.rs client/src/lib.rs embedded-postgres/src/lib.rs tests/shuttle.rs \
    && for main in src/main.rs src/bin/shuttle.rs xtask/src/main.rs chaos/src/main.rs benches/micro.rs benches/load/main.rs; do \
         echo 'fn main() {}' > "$main"; \
       done \
    && cargo build --release --locked --package gapless --bin gapless

COPY embedded-postgres embedded-postgres
COPY src src
COPY migrations migrations
ARG GAPLESS_COMMIT
# Cargo compares modification times, and a copied file keeps the time of its checkout.
RUN touch embedded-postgres/src/lib.rs src/lib.rs src/main.rs \
    && GAPLESS_COMMIT="${GAPLESS_COMMIT:-unknown}" cargo build --release --locked --package gapless --bin gapless \
    && strip target/release/gapless \
    && mkdir data

# Contains only glibc of the same Debian, certificates, and an unprivileged account.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /build/target/release/gapless /gapless
# Only demo mode writes to it: the signing key.
COPY --from=build --chown=65532:65532 /build/data /data
ENV DATA_DIR=/data LOG_FORMAT=json
EXPOSE 8080
# The timeout is longer than the program's own for a failing check (2 s); a start with migrations may take a while.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/gapless", "healthcheck"]
ENTRYPOINT ["/gapless"]
