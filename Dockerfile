# The gateway as an image.
#
#   docker build -t gradient-images .
#   docker run -p 8080:8080 -e GATEWAY_KEYS -e GRADIENT_MODEL_ACCESS_KEY gradient-images
#
# It installs the package from the npm registry. To install from tarballs of `pnpm pack` instead, put them into a folder
# of the build context, and name them as the build sees them, below /context:
#
#   docker build --build-arg PACKAGES="/context/tarballs/*.tgz" -t gradient-images .
FROM node:24.21.0-slim

ARG PACKAGES=@effect-gradient/cli
RUN --mount=type=bind,target=/context npm install --prefix /app --omit=dev --no-audit --no-fund ${PACKAGES}

# The size in MB of V8's space for new objects. It saves memory, and CPU time for the images that pass through.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 NODE_OPTIONS=--max-semi-space-size=16
EXPOSE 8080
USER node
WORKDIR /home/node
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["/app/node_modules/.bin/gradient-images"]
CMD ["gateway"]
