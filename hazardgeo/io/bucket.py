"""Parts of a file in a cloud store (Amazon S3, Google Cloud Storage, Azure Blob Storage), through fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hazardgeo.errors import FormatError, HazardGeoError, MissingPackageError
from hazardgeo.io.web import Piece

SCHEMES = ("s3", "gs", "az")
_VERSION_KEYS = ("ETag", "etag", "generation", "VersionId", "LastModified", "last_modified", "updated", "created")
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "google", "gcsfs", "azure", "s3fs", "adlfs")


class Bucket:
    """A file in a store. Its client finds credentials where it always does: environment, profile, role of the machine."""

    def __init__(self, url: str, label: str) -> None:
        scheme, _, self._path = url.partition("://")
        scheme = scheme.lower()
        self._label = label
        self._store = _store(scheme, label)

    def fetch(self, start: int, stop: int) -> Piece:
        """The bytes from `start` up to `stop`; the size and version are those after they were read."""
        with self._failures_named():
            data = self._store.cat_file(self._path, start=start, end=stop)
            about = self._store.info(self._path)
        if about.get("type") == "directory":
            raise FormatError(f"{self._label} is a folder; name a file in it.")
        return Piece(bytes(data), int(about["size"]), " ".join(str(about[k]) for k in _VERSION_KEYS if about.get(k)))

    def close(self) -> None:
        """Nothing is held open."""

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Errors of the stores' clients, which have no common type, become a FormatError of one line."""
        try:
            yield
        except HazardGeoError:
            raise
        except FileNotFoundError:
            raise FormatError(f"{self._label} does not exist, or may not be seen; check the address and its rights.") from None
        except PermissionError:
            raise FormatError(f"{self._label} cannot be read: access is refused; check the rights and credentials.") from None
        except BaseException as error:
            foreign = type(error).__module__.partition(".")[0] in _CLIENTS
            if not (foreign and isinstance(error, Exception)) and not isinstance(error, (OSError, ValueError, RuntimeError)):
                raise
            raise FormatError(
                f"{self._label} cannot be read: {type(error).__name__} from its store; check the credentials and the network."
            ) from None


def _store(scheme: str, label: str) -> Any:
    try:
        import fsspec

        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except ImportError:
        raise MissingPackageError(
            f"{label} needs a client for {scheme}:// addresses; install it with: pip install 'hazardgeo[remote]'"
        ) from None
    except ValueError as error:
        raise FormatError(f"{label} cannot be read: {type(error).__name__} from its store; state its account.") from None
