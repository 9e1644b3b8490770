"""A GeoTIFF elsewhere, as GDAL sees it: one file whose bytes are fetched for it, with nothing beside, and no network.

GDAL stays fenced off the network; what it asks for comes through `Remote`. Since it swallows the errors of such files, a
failed read gives no bytes, and `Remote.raise_failure` says later why.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import rasterio
from rasterio.abc import MultiByteRangeResourceContainer
from rasterio.io import DatasetReader

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io.remote import Remote

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NAME = "raster.tif"


@contextmanager
def opened(remote: Remote) -> Iterator[DatasetReader]:
    """The open dataset; FormatError for what is no GeoTIFF, and for one that names other files."""
    if not remote.bytes_at(0, 4).startswith(_TIFF):
        raise FormatError(f"{remote} is no GeoTIFF, and no other raster is read from an address; download it first.")
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
        rasterio.open(_NAME, driver="GTiff", sharing=False, opener=_Folder(remote)) as dataset,
    ):
        if len(dataset.subdatasets) > 1:
            raise FormatError(f"{remote} holds {len(dataset.subdatasets)} layers; download it to choose one.")
        if dataset.tags(ns="OVERVIEWS") or len(dataset.files) > 1:
            raise FormatError(f"{remote} takes data from other files; download all of them, or write it as one COG.")
        yield dataset


class _Folder(MultiByteRangeResourceContainer):  # type: ignore[misc]
    """A folder that holds the one file."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def open(self, path: str, *_: Any, **__: Any) -> _File:
        if not self.isfile(path):
            raise FileNotFoundError(path)
        return _File(self._remote)

    def isfile(self, path: str) -> bool:
        return path == _NAME

    def isdir(self, _: str) -> bool:
        return False

    def ls(self, _: str) -> list[str]:
        return []

    def mtime(self, _: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, path: str) -> int:
        return self._remote.stat().st_size if self.isfile(path) else 0


class _File:
    """The file as an open stream that never raises; several ranges are fetched in as few requests as make sense."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._stream: BinaryIO = remote.open("rb")

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except HazardGeoError:
            return b""

    def get_byte_ranges(self, offsets: list[int], sizes: list[int]) -> list[bytes]:
        try:
            self._remote.fetch((at, at + size) for at, size in zip(offsets, sizes, strict=True))
            return [self._remote.bytes_at(at, at + size) for at, size in zip(offsets, sizes, strict=True)]
        except HazardGeoError:
            return [b"" for _ in offsets]
