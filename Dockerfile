# Kindler's one image: all its processes, chosen by the argument. For docker and buildah; `make up` and `make test` build it through hack/images.py.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS dependencies
COPY requirements.lock /
# Settings and certificates for the package index come from the machine that builds and stay out of the image. Bytecode is checked by nothing at start:
# a reproducible build sets all file times to one value, and bytecode by time would be made anew at each start (-f: pip has left some of that kind).
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /venv \
    && /venv/bin/pip install --quiet --no-cache-dir --no-compile --require-hashes --only-binary :all: -r /requirements.lock \
    && /venv/bin/pip uninstall --quiet --yes pip setuptools \
    && /venv/bin/python -m compileall -f -q --invalidation-mode unchecked-hash /venv/lib

FROM ${BASE} AS code
COPY operator/kindler /app/kindler
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${BASE}
COPY --from=dependencies /venv /venv
COPY --from=code /app /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Nobody in /etc/passwd has this uid: libraries that ask for the user's name (kopf does) find it here.
ENV USER=kindler HOME=/tmp
USER 10001:0
ENTRYPOINT ["python", "-m", "kindler"]
