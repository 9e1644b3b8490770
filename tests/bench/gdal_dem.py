"""gdaldem as a peer: the program where it is installed, else the same code in the GDAL that rasterio brings along."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import rasterio


def gdaldem(what: str, source: Path, target: Path, *options: str, creation: Sequence[str] = ()) -> None:
    """What `gdaldem what source target options` writes; `creation` are "NAME=VALUE"."""
    arguments = [*options, *(word for option in creation for word in ("-co", option))]
    if shutil.which("gdaldem"):
        subprocess.run(["gdaldem", what, str(source), str(target), "-q", *arguments], check=True)
        return
    gdal = _library()
    words = (ctypes.c_char_p * (len(arguments) + 3))(*[a.encode() for a in ("-of", "GTiff", *arguments)], None)
    chosen = gdal.GDALDEMProcessingOptionsNew(words, None)
    dataset = gdal.GDALOpenEx(str(source).encode(), 0, None, None, None)
    failed = ctypes.c_int(0)
    made = gdal.GDALDEMProcessing(str(target).encode(), dataset, what.encode(), None, chosen, ctypes.byref(failed))
    if not made:
        raise RuntimeError(f"gdaldem {what} failed on {source}")
    gdal.GDALClose(made)
    gdal.GDALClose(dataset)
    gdal.GDALDEMProcessingOptionsFree(chosen)


def _library() -> ctypes.CDLL:
    folder = Path(rasterio.__file__).parent.parent / "rasterio.libs"
    gdal = ctypes.CDLL(str(next(folder.glob("libgdal*"))))
    for name in ("GDALDEMProcessingOptionsNew", "GDALOpenEx", "GDALDEMProcessing"):
        getattr(gdal, name).restype = ctypes.c_void_p
    gdal.GDALDEMProcessingOptionsNew.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    gdal.GDALOpenEx.argtypes = [ctypes.c_char_p, ctypes.c_uint, *[ctypes.c_void_p] * 3]
    gdal.GDALDEMProcessing.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    for name in ("GDALClose", "GDALDEMProcessingOptionsFree"):
        getattr(gdal, name).restype = None
        getattr(gdal, name).argtypes = [ctypes.c_void_p]
    gdal.GDALAllRegister()
    return gdal
