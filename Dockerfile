# The program and nothing around it. Building needs the registry of crates, running needs nothing.
FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /gesta
COPY . .
RUN cargo build --locked --release --package gesta-cli \
    && install -D target/release/gesta /image/usr/local/bin/gesta \
    && install -d -o 65532 -g 65532 -m 750 /image/data

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build --chown=65532:65532 /image/ /
USER 65532:65532
VOLUME /data
EXPOSE 2113
# A container has an address of its own. It does not start before it is given a certificate (GESTA_TLS_CERT, GESTA_TLS_KEY), or told to go without
# (GESTA_INSECURE=true), and then asks nobody who he is unless GESTA_AUTH=true.
ENV GESTA_DIR=/data GESTA_LISTEN=0.0.0.0:2113 GESTA_LOG_FORMAT=json
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["/usr/local/bin/gesta", "health", "--url", "http://127.0.0.1:2113"]
ENTRYPOINT ["/usr/local/bin/gesta"]
CMD ["serve"]
