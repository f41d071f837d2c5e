"""Store the reports of the compliance sweep as blobs, the last one and the history of ninety days.

```
certroll-reports/latest/report.json       latest/report.html      latest/inventory.csv
certroll-reports/2026-11-04/report.json   2026-11-04/report.html  2026-11-04/inventory.csv
```
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from math import inf

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContentSettings

from shared.clients.storage.edge import storage_edge

CONTAINER = "certroll-reports"
LATEST = "latest"
REPORT = "report.json"
KEPT = timedelta(days=90)
"""How long the history of reports lasts."""
LARGEST = 256 * 1024 * 1024
"""The most bytes of a report that Certroll reads back. A report with 45,000 findings has some 42 MB."""
CONTENT_TYPES = {"json": "application/json", "html": "text/html; charset=utf-8", "csv": "text/csv; charset=utf-8"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BlobReports:
    """The reports of one installation, as blobs of its storage account."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service
        self._seconds_left: Callable[[], float] = lambda: inf

    def until(self, seconds_left: Callable[[], float]) -> "BlobReports":
        """Return the same reports for a run, whose calls take no longer than `seconds_left` returns."""
        reports = copy(self)
        reports._seconds_left = seconds_left  # noqa: SLF001 - a copy of this object
        return reports

    def latest(self) -> bytes | None:
        """Return the last report as JSON, or None without one. A larger one than `LARGEST` counts as none."""
        with storage_edge("the last report", self._seconds_left()):
            try:
                blob = self._service.get_blob_client(CONTAINER, f"{LATEST}/{REPORT}").download_blob(
                    offset=0, length=LARGEST
                )
                return blob.readall() if blob.properties.size <= LARGEST else None
            except ResourceNotFoundError:
                return None

    def put(self, at: datetime, files: Mapping[str, bytes]) -> None:
        """Store the files of a report in the history, then as the last one, and delete history older than `KEPT`.

        The history comes first, so that a run which dies in between leaves the last report whole. The report as JSON
        is the last file to be replaced, because the next report begins with it.
        """
        with storage_edge("the report", self._seconds_left()):
            with suppress(ResourceExistsError):
                self._service.create_container(CONTAINER)
            for folder in (f"{at:%Y-%m-%d}", LATEST):
                for name, content in sorted(files.items(), key=lambda file: file[0] == REPORT):
                    self._put(f"{folder}/{name}", content)
        self._forget(f"{at - KEPT:%Y-%m-%d}")

    def _put(self, name: str, content: bytes) -> None:
        settings = ContentSettings(content_type=CONTENT_TYPES[name.rpartition(".")[2]])
        self._service.get_blob_client(CONTAINER, name).upload_blob(content, overwrite=True, content_settings=settings)

    def names(self) -> tuple[str, ...]:
        """Return the names of all stored files."""
        with storage_edge("the reports", self._seconds_left()):
            return tuple(self._service.get_container_client(CONTAINER).list_blob_names())

    def _forget(self, before: str) -> None:
        old = [name for name in self.names() if _DAY.fullmatch(day := name.partition("/")[0]) and day < before]
        with storage_edge("old reports", self._seconds_left()):
            container = self._service.get_container_client(CONTAINER)
            for name in old:
                container.delete_blob(name)
