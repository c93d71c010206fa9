# The web page without TensorFlow: docker build -t hwr . && docker run --rm -p 127.0.0.1:7860:7860 hwr
# It answers as localhost alone. For other machines name it: -e HWR_NAMES=names.example.org
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hwr hwr
COPY assets assets
RUN python -m venv /opt/hwr && /opt/hwr/bin/pip install --no-cache-dir '.[app]'

FROM python:3.12-slim
COPY --from=build /opt/hwr /opt/hwr
RUN useradd --create-home hwr
USER hwr
WORKDIR /home/hwr
ENV PATH=/opt/hwr/bin:$PATH HWR_HOST=0.0.0.0 HWR_NAMES=localhost
EXPOSE 7860
HEALTHCHECK --start-period=60s --interval=30s --timeout=10s CMD \
    ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860', timeout=8)"]
CMD ["hwr", "serve"]
