# syntax=docker/dockerfile:1
# One image a process: `docker build --target monolith .` and so on; compose.yaml builds all. Each holds its own files and the packages they need.
FROM node:24-trixie-slim AS base
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
# A new volume that is mounted there belongs to whom the folder does.
RUN mkdir /data /pictures /router /cache && chown node:node /data /pictures /router /cache
STOPSIGNAL SIGTERM

# The lock covers all workspaces, so npm wants to see each one's manifest.
FROM base AS manifests
COPY package.json package-lock.json .npmrc ./
COPY router/package.json router/
COPY migrations/package.json migrations/
COPY cli/package.json cli/
COPY monolith/package.json monolith/
COPY extracted/image-api/package.json extracted/image-api/
COPY extracted/email-api/package.json extracted/email-api/

FROM manifests AS router-files
RUN npm ci --omit=dev --workspace=@strangler-kit/cli --workspace=@strangler-kit/router --workspace=@strangler-kit/migrations
COPY router router
COPY migrations migrations
COPY cli cli
COPY strangler.yaml ./

FROM manifests AS monolith-files
RUN npm ci --omit=dev --workspace=@strangler-kit/monolith
COPY monolith monolith

FROM manifests AS image-api-files
RUN npm ci --omit=dev --workspace=@strangler-kit/image-api
COPY extracted/image-api extracted/image-api

FROM manifests AS email-api-files
RUN npm ci --omit=dev --workspace=@strangler-kit/email-api
COPY extracted/email-api extracted/email-api

FROM manifests AS setup-files
RUN npm ci --omit=dev --workspace=@strangler-kit/cli --workspace=@strangler-kit/router --workspace=@strangler-kit/migrations --workspace=@strangler-kit/monolith
COPY router router
COPY migrations migrations
COPY cli cli
COPY monolith monolith
COPY flags.json ./
COPY deploy/setup deploy/seed.ts deploy/

FROM base AS router
COPY --from=router-files /app /app
ENV ROUTER_HOST=0.0.0.0 ADMIN_HOST=0.0.0.0 FLAGS_FILE=/data/flags.json
USER node
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:8081/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "cli/main.ts", "serve", "--config", "strangler.yaml"]

FROM base AS monolith
COPY --from=monolith-files /app /app
USER node
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:3000/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "monolith/main.ts"]

FROM base AS relay
COPY --from=monolith-files /app /app
ENV RELAY_PORT=3003
USER node
EXPOSE 3003
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:3003/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "monolith/relay.ts"]

FROM base AS image-api
# glibc's allocator keeps what large pictures needed. `LD_PRELOAD=` at run time goes back to it.
RUN apt-get update && apt-get install -y --no-install-recommends libjemalloc2 && rm -rf /var/lib/apt/lists/*
ENV LD_PRELOAD=libjemalloc.so.2 UV_THREADPOOL_SIZE=16 IMAGE_CACHE_DIR=/cache
COPY --from=image-api-files /app /app
USER node
EXPOSE 3001
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:3001/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "extracted/image-api/main.ts"]

FROM base AS email-api
COPY --from=email-api-files /app /app
USER node
EXPOSE 3002
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:3002/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "extracted/email-api/main.ts"]

# Ends when its work is done: the databases as the processes expect them, and flags for a router that has none yet.
FROM base AS setup
COPY --from=setup-files /app /app
USER node
HEALTHCHECK NONE
CMD ["sh", "deploy/setup"]
