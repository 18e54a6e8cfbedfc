# One image with the four programs; what runs is the command: enqueuer, worker, monitor, or astrogrowth with a
# subcommand. The programs are static and the time zones are in them, so the image holds nothing else: no shell, no
# package manager, no root.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -ldflags="-s -w" -o /out/bin/ ./cmd/...
RUN mkdir -p /out/data /out/tmp && chmod 0700 /out/data && chmod 1777 /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/bin/ /usr/local/bin/
COPY --from=build /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /data
ENV PATH=/usr/local/bin DATA_DIR=/data BIND_ADDR=0.0.0.0
USER 65532:65532
WORKDIR /data
EXPOSE 3000 3001 3002 3003
CMD ["enqueuer"]
