# Builds the binary and the plugins with one pinned set of tools, then puts them alone into a small image.
# docker build --build-arg GIT_COMMIT=$(git rev-parse HEAD) --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .

FROM rust:1.95.0-bookworm AS rust
FROM golang:1.26.8-bookworm AS go

# This image has Node.js with npm, gcc, g++ and zlib's headers; Deno's version is pinned in scripts/lib/env.sh.
FROM node:22.16.0-bookworm AS build
# For the plugins in Rust and Go, and for Apache Arrow, which comes as a Python package.
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=go /usr/local/go /usr/local/go
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/go/bin:$PATH
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
# .git stays outside, so the commit and its time come in here.
ARG GIT_COMMIT
ARG SOURCE_DATE_EPOCH
# A plugin that cannot be built is an error.
ENV CI=true GIT_COMMIT=$GIT_COMMIT SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH
WORKDIR /build
COPY . .
RUN scripts/build

FROM debian:12.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/busbar --shell /usr/sbin/nologin busbar \
  && install -d -m 0700 -o busbar -g busbar /var/lib/busbar \
  && install -d -m 0755 /etc/busbar
COPY --from=build /build/dist/busbar /build/dist/build.lock /opt/busbar/
COPY --from=build /build/dist/plugins /opt/busbar/plugins
COPY --from=build /build/LICENSE /opt/busbar/LICENSE
RUN ln -s /opt/busbar/busbar /usr/local/bin/busbar
USER busbar
VOLUME /var/lib/busbar
EXPOSE 7700
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/opt/busbar/busbar", "health"]
ENTRYPOINT ["/opt/busbar/busbar"]
CMD ["run", "-c", "/etc/busbar/busbar.yaml"]
