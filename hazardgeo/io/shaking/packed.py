"""XML products as they are downloaded: plain, as .xml.gz or in a .zip; and what lies beside them and is something else."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import files

MOST_BYTES = 100_000_000  # the largest grid.xml published are about half of this
_GZIP, _ZIP, _HDF5 = b"\x1f\x8b", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def xml_of(path: Path, *, wanted: str) -> bytes:
    """The bytes of the XML file at `path`, unpacked where it is a .gz or a .zip that holds `wanted`, such as "grid.xml".

    FormatError, naming `wanted`, for the other products that are published beside it (HDF5, raster and shape archives,
    GeoJSON), for damaged archives, and for what is larger than any such product.
    """
    found = files.existing(path)
    with found.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(_HDF5):
        raise FormatError(f"{path} is HDF5 (shake_result.hdf), which is not read; fetch the {wanted} of the same ShakeMap.")
    try:
        if head.startswith(_ZIP):
            data = _from_zip(found, wanted)
        elif head.startswith(_GZIP):
            with gzip.open(found) as unpacked:
                data = unpacked.read(MOST_BYTES + 1)
        else:
            with found.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
    except HazardGeoError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path} cannot be unpacked: {files.one_line(error)}; fetch it again.") from None
    if len(data) > MOST_BYTES:
        raise FormatError(f"{path} holds more than {MOST_BYTES // 1_000_000} MB, more than any {wanted}; fetch it again.")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        raise FormatError(
            f"{path} is JSON (contours such as cont_pga.json, or a station list), not a {wanted}; fetch the {wanted}, or read "
            "stations with read_stations."
        )
    return data


def _from_zip(path: Path, wanted: str) -> bytes:
    """The wanted member, else the only XML in the archive."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        xml = [name for name in names if name.lower().endswith(".xml")]
        exact = [name for name in xml if name.lower().rpartition("/")[2] == wanted]
        chosen = exact or xml
        if not chosen:
            rasters = any(name.lower().endswith((".flt", ".tif")) for name in names)
            kind = "is a raster.zip of a ShakeMap" if rasters else "holds no XML"
            listed = ", ".join(names[:3]) or "nothing"
            raise FormatError(f"{path} {kind} (it has {listed}); fetch the {wanted} of the same ShakeMap.")
        if len(chosen) > 1:
            raise FormatError(f"{path} holds {len(chosen)} XML files ({', '.join(chosen[:3])}); unpack it and name one.")
        with archive.open(chosen[0]) as stream:
            return stream.read(MOST_BYTES + 1)
