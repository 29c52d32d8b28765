# syntax=docker/dockerfile:1
# Targets: `runtime` (no shell), `debug` (with one), `dev` (the toolchain, for Okteto), `binary` (the file alone).
#     docker buildx build --target runtime --tag sidereal .
# The commands are those of the Makefile; for arm64 and amd64 it compiles on the builder's own processor.
# .github/renovate.json has the digests of the images kept up to date. The labels `version`, `revision`, `created` and `source`
# are given by who builds: `sidereal deploy --build`, .github/workflows/release.yml.
ARG RUST=rust:1.94-bookworm@sha256:6ae102bdbf528294bc79ad6e1fae682f6f7c2a6e6621506ba959f9685b308a55

FROM --platform=$BUILDPLATFORM node:22-bookworm-slim@sha256:53ada149d435c38b14476cb57e4a7da73c15595aba79bd6971b547ceb6d018bf AS web
WORKDIR /build/web-app
COPY web-app/package.json web-app/package-lock.json web-app/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY openapi /build/openapi
COPY web-app ./
RUN --network=none npm run build

FROM --platform=$BUILDPLATFORM ${RUST} AS toolchain
ARG CARGO_CHEF=0.1.78
ARG CARGO_AUDITABLE=0.7.7
RUN cargo install --locked "cargo-chef@${CARGO_CHEF}" "cargo-auditable@${CARGO_AUDITABLE}"
# The compiler for the processor that this one is not; each has its own already, by its full name too.
# hadolint ignore=DL3008
RUN apt-get update \
    && if [ "$(dpkg --print-architecture)" = arm64 ]; then \
        apt-get install --yes --no-install-recommends gcc-x86-64-linux-gnu libc6-dev-amd64-cross; \
    else \
        apt-get install --yes --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross; \
    fi \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CC_x86_64_unknown_linux_gnu=x86_64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
WORKDIR /build

# What the dependencies are, without the sources: they are compiled anew only when it changes.
FROM toolchain AS planner
COPY Cargo.toml Cargo.lock askama.toml ./
COPY src src
COPY benches benches
RUN cargo chef prepare --recipe-path recipe.json

FROM toolchain AS build
ARG TARGETARCH
ARG SOURCE_DATE_EPOCH=0
COPY --from=planner /build/recipe.json .
RUN case "${TARGETARCH}" in arm64) echo aarch64 ;; *) echo x86_64 ;; esac > /processor \
    && cargo chef cook --locked --release --target "$(cat /processor)-unknown-linux-gnu" --recipe-path recipe.json \
    && cargo fetch --locked
COPY Cargo.toml Cargo.lock askama.toml ./
COPY benches benches
COPY src src
RUN --network=none target="$(cat /processor)-unknown-linux-gnu" \
    && cargo auditable build --locked --offline --release --bin sidereal --target "$target" \
    && "$(cat /processor)-linux-gnu-strip" -o /sidereal "target/$target/release/sidereal" \
    && mkdir -p /data

FROM scratch AS binary
COPY --from=build /sidereal /sidereal

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f AS server
COPY --from=build /sidereal /usr/local/bin/sidereal
COPY --from=build --chown=65532:65532 /data /data
COPY --from=web /build/web-app/dist /usr/share/sidereal/web-app
ENV SIDEREAL_WEB_APP_DIR=/usr/share/sidereal/web-app SIDEREAL_DATA_DIR=/data
WORKDIR /
LABEL org.opencontainers.image.title="Sidereal" org.opencontainers.image.licenses="MIT OR Apache-2.0"
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/sidereal"]
CMD ["serve"]

FROM busybox:1.37-musl@sha256:fc6dddc4c44b1bfe37f41cae8e67d1693828e8f42a91862816d7953e2c9d3f23 AS shell
RUN mkdir /busybox && cp /bin/busybox /busybox/ && /busybox/busybox --install -s /busybox

FROM server AS debug
COPY --from=shell /busybox /busybox
ENV PATH=/usr/local/bin:/busybox

# The sources come by Okteto, and so does what compiling leaves: see okteto/.
FROM ${RUST} AS dev
ARG CARGO_WATCH=8.5.3
RUN cargo install --locked "cargo-watch@${CARGO_WATCH}" && rustup component add clippy rustfmt
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends clang mold postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home developer \
    && install -d -o developer -g developer /src /cache
ENV CARGO_HOME=/cache/cargo \
    CARGO_TARGET_DIR=/cache/target \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=clang \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=-fuse-ld=mold" \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=clang \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=-fuse-ld=mold"
LABEL org.opencontainers.image.title="Sidereal, to develop" org.opencontainers.image.licenses="MIT OR Apache-2.0"
WORKDIR /src
USER 1000:1000
CMD ["bash"]

# The last is what is built when no target is named.
FROM server AS runtime
