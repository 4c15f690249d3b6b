# The installed package and its configuration, without the checkout. For its use see docs/deployment.md.
FROM python:3.11-slim AS build
WORKDIR /build
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src/pneumonia src/pneumonia
RUN python -m venv /opt/pneumonia \
    && /opt/pneumonia/bin/pip install --no-cache-dir --constraint constraints.txt ".[dicom]"

FROM python:3.11-slim
COPY --from=build /opt/pneumonia /opt/pneumonia
ENV PATH=/opt/pneumonia/bin:$PATH
# Before VOLUME: a new volume inherits the owner.
RUN useradd --create-home --uid 1000 pneumonia \
    && mkdir --parents /home/pneumonia/data \
    && chown pneumonia /home/pneumonia/data
WORKDIR /home/pneumonia
COPY conf conf
USER 1000
VOLUME /home/pneumonia/data
ENTRYPOINT ["python", "-m", "pneumonia"]
CMD ["--env=demo"]
