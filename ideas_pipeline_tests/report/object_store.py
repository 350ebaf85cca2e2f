"""A real object store: moto's S3 server on a socket, and the variables with which the driver finds it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

BUCKET = "bucket"


@dataclass(frozen=True)
class ObjectStore:
    """The store.

    Attributes:
        client: boto3's, of the store.
        variables: what a process needs to use it.
    """

    client: Any
    variables: dict[str, str]

    def object(self, key: str) -> tuple[str, str]:
        """The content of an object, and its type."""
        found = self.client.get_object(Bucket=BUCKET, Key=key)
        return found["Body"].read().decode(), found["ContentType"]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run a store that has one empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    key = {"aws_access_key_id": "tests", "aws_secret_access_key": "not-a-secret-of-anyone"}
    try:
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **key)
        client.create_bucket(Bucket=BUCKET)
        yield ObjectStore(client, {"AWS_ENDPOINT_URL": url} | {name.upper(): value for name, value in key.items()})
    finally:
        server.stop()
