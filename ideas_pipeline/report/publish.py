"""A copy of a page in a folder that a URL names, for readers who cannot reach the machine that wrote it."""

from __future__ import annotations

from pathlib import Path

from ideas_pipeline.errors import NotDelivered
from ideas_pipeline.library_errors import named


def publish(page: Path, folder: str) -> str:
    """Copy a page into a folder, where it replaces the page of that name.

    Args:
        page: the page.
        folder: the folder's URL, such as ``s3://bucket/reports``, for a driver of fsspec
            (https://filesystem-spec.readthedocs.io). Who may write there, and at which host, the driver finds in its
            own variables, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL.

    Returns:
        The URL of the copy.

    Raises:
        NotDelivered: no driver for such a URL is installed, or the driver could not copy the page.
    """
    import fsspec  # slow to import

    address = f"{folder.rstrip('/')}/{page.name}"
    try:
        system, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError):
        raise NotDelivered(
            f"The report cannot be copied to {folder}: no driver for such a URL is installed. Correct "
            "IDEAS_REPORT_URL, or install the driver: pip install 'ideas_pipeline[s3]' brings the one for s3://."
        ) from None
    try:
        system.put_file(str(page), path)
    except Exception as error:  # noqa: BLE001 - drivers share no base class: botocore's errors are not OSError
        why = error.strerror or str(error) if isinstance(error, OSError) else named(error)
        raise NotDelivered(
            f"The report cannot be copied to {folder}: {why.rstrip('.')}. Check IDEAS_REPORT_URL, the driver's "
            "variables (of s3://: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL), and the network."
        ) from None
    return address
