"""Scans, models and drawings in formats that only their makers' programs open, and the export to ask for.

A signature of the content counts before a name. What a maker has not published is known by its name alone, and the advice
then says so. Sources of the signatures: RIEGL RDB 2, GDAL's driver of that name; Livox LVX specification 1.1; MCAP
specification; ROS bag format 2.0; pcap and pcapng (IETF opsawg drafts); OGC 3D Tiles 1.1 (doc. 22-025r4) and glTF 2.0; the
header of OpenSceneGraph's binary writer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 512
_WEB_PAGE = (b"<!doctype html", b"<html")
_CLOUD = "LAS 1.4 (.laz) or E57"


@dataclass(frozen=True, slots=True)
class RawScan:
    """What a file is, the export that can be read in its place, and whether its content says so or only its name."""

    what: str
    export: str
    by_content: bool

    @property
    def advice(self) -> str:
        """The rest of a sentence that begins with the file: what it is, and what to do."""
        return f"{'is' if self.by_content else 'is, by its name,'} {self.what}; {self.export}"


def _from(program: str, product: str = _CLOUD) -> str:
    return f"export {product} from {program}"


_RIEGL = ("a raw scan of a RIEGL scanner", _from("RiSCAN PRO or RiPROCESS"))
_DJI = ("raw data of a DJI Zenmuse laser scanner", _from("DJI Terra (Lidar Point Cloud)", "LAS"))
_LIVOX = ("a raw recording of a Livox scanner", _from("Livox Viewer", "LAS"))
_PACKETS = (
    "a recording of network packets, as scanners of Velodyne, Ouster or Hesai leave it",
    _from("the maker's viewer", "LAS"),
)
_ROS = ("a recording of a robot (ROS), not a cloud", _from("the mapping program of the scanner"))
_TILES = ("a part of a 3D model for viewers (3D Tiles)", _from("the program that made the model", "the point cloud as LAS"))
_MESH = ("a 3D model of surfaces, not a cloud", _from("the program that made the model", "the point cloud as LAS"))
_CAD = ("a drawing or building model", _from("the CAD program", "the layers needed as DXF, GeoPackage or Shapefile"))
_PICTURE = ("a compressed picture that needs a licensed reader", _from("the program that made it", "GeoTIFF"))
_POTREE = ("a cloud cut up for web viewers (Potree, Entwine)", "ask for the LAS or COPC file that it was made from")
_METASHAPE = (
    "a project of Agisoft Metashape",
    "export from it File > Export > Export Point Cloud (LAS) and Export DEM (GeoTIFF of the ground points)",
)
_PIX4D = ("a project file of Pix4D", "take the LAS of its folder 2_densification/point_cloud, or export it again with LAS ticked")

_BY_NAME: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".rxp", ".rdb", ".rdbx", ".3dd", ".sdf", ".mpx"), _RIEGL),
    **dict.fromkeys((".fls", ".lsproj", ".fws"), ("a raw scan or project of a FARO scanner", _from("FARO SCENE"))),
    **dict.fromkeys(
        (".lgs", ".lgsx", ".imp", ".blk", ".blk3d", ".rtc360", ".ptg"),
        ("a raw scan or project of a Leica scanner", _from("Cyclone REGISTER 360")),
    ),
    **dict.fromkeys(
        (".tzf", ".tzs", ".rwp", ".rwi"),
        ("a raw scan or project of a Trimble scanner", _from("Trimble RealWorks or Trimble Business Center")),
    ),
    **dict.fromkeys((".rcp", ".rcs", ".rcc"), ("a cloud in Autodesk's own format", _from("ReCap Pro", "E57"))),
    **dict.fromkeys((".zfs", ".zfc", ".zfprj"), ("a raw scan or project of a Z+F scanner", _from("Z+F LaserControl"))),
    **dict.fromkeys((".clr", ".cl3", ".cls3d"), ("a raw scan of a Topcon scanner", _from("ScanMaster or MAGNET Collage"))),
    **dict.fromkeys((".ixf", ".lidar", ".csd"), ("a raw scan of an Optech (Teledyne) scanner", _from("LMS or ILRIS Parser"))),
    **dict.fromkeys((".lvx", ".lvx2", ".lvx3"), _LIVOX),
    **dict.fromkeys((".pcap", ".pcapng"), _PACKETS),
    **dict.fromkeys((".mcap", ".db3"), _ROS),
    ".geoslam": ("a raw scan of a GeoSLAM scanner", _from("GeoSLAM Hub or FARO Connect")),
    ".pod": ("a cloud in Bentley's own format", _from("Pointools or iTwin Capture", "LAS")),
    ".zlas": ("a cloud compressed by Esri", "unpack it to LAS with EzLAS or Convert LAS in ArcGIS"),
    ".slpk": ("a scene package of Esri", "ask for the LAS or GeoTIFF that it was made from"),
    ".lyr": ("a layer file of ArcGIS, which holds colours and no data", "ask for the data that it points to"),
    ".lasd": ("a list of LAS files of ArcGIS, which holds no points", "give the LAS files themselves"),
    **dict.fromkeys((".psx", ".psz", ".oc3"), _METASHAPE),
    **dict.fromkeys((".p4d", ".p4m", ".p4b", ".bpc"), _PIX4D),
    **dict.fromkeys((".b3dm", ".pnts", ".i3dm", ".cmpt"), _TILES),
    **dict.fromkeys((".osgb", ".3mx", ".3mxb", ".s3c", ".s3mb", ".i3s"), _MESH),
    **dict.fromkeys((".obj", ".fbx", ".stl", ".dae", ".3ds", ".glb", ".gltf"), _MESH),
    **dict.fromkeys((".dwg", ".rvt", ".skp", ".ifc"), _CAD),
    **dict.fromkeys((".sid", ".ecw"), _PICTURE),
}
_MAY_BE_TEXT = {
    ".lsproj", ".rcp", ".zfprj", ".psx", ".p4d", ".p4m", ".lyr", ".lasd", ".3mx", ".s3c", ".i3s",
    ".obj", ".stl", ".dae", ".gltf", ".ifc",
}  # fmt: skip
_DJI_SUFFIXES = (".ldr", ".ldrt", ".clc", ".cli", ".cmi", ".imu", ".rtk", ".rtb", ".rts", ".rtl", ".sig", ".rpos", ".rpt")
_POTREE_NAMES = ("octree.bin", "hierarchy.bin", "ept.json", "cloud.js")
_SIGNATURES: tuple[tuple[re.Pattern[bytes], tuple[str, str]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), meaning)
    for pattern, meaning in (
        (rb"RIEGL LMS RDB 2 ", _RIEGL),
        (rb"livox_tech\0", _LIVOX),
        (rb"#ROSBAG V\d", _ROS),
        (rb"\x89MCAP\x30\r\n", _ROS),
        (
            rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x4d\x3c\xb2\xa1|\xa1\xb2\x3c\x4d|\n\r\r\n.{4}(\x1a\x2b\x3c\x4d|\x4d\x3c\x2b\x1a)",
            _PACKETS,
        ),
        (rb"(b3dm|pnts|i3dm|cmpt)\x01\0\0\0", _TILES),
        (rb"glTF[\x01\x02]\0\0\0", _MESH),
        (rb"\xa1\x0e\x91\x6c\x45\x45\xfb\x1a", _MESH),
        (rb"Kaydara FBX Binary  \0", _MESH),
        (rb"AC10\d\d\0", _CAD),
        (rb"\xff\xfe\xff\x0eS\0k\0e\0t\0c\0h\0U\0p\0", _CAD),
        (rb"msid.{0,4}\0", _PICTURE),
    )
)
_READABLE = re.compile(
    rb"LASF|ply\r?\n|# \.PCD|ASTM-E57|II\*\0|MM\0\*|II\+\0|MM\0\+|SQLite format 3\0|CDF[\x01\x02\x05]|\x89HDF|PAR1|fgb\x03|"
    rb"\x89PNG|\xff\xd8\xff|EHFA_HEADER_TAG|\0\0\x27\x0a"
)


def raw_scan(path: Path | str) -> RawScan | None:
    """What a file is that no door reads, None for what doors may read and for what is not known.

    At most 512 bytes are read. The signature of a format that is read (LAS, GeoTIFF, GeoPackage ...) goes before any name.
    Formats known by their name alone must also look binary where they are not text, so that a table named ".clr" goes on.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return None
    return recognised(source.name, head)


def recognised(name: str, head: bytes) -> RawScan | None:
    """`raw_scan` for a file whose first bytes are at hand.

    >>> recognised("0001.lvx", b"livox_tech" + bytes(6)).what
    'a raw recording of a Livox scanner'
    """
    for pattern, meaning in _SIGNATURES:
        if pattern.match(head):
            return RawScan(*meaning, by_content=True)
    suffix = Path(name).suffix.lower()
    if _READABLE.match(head) and suffix not in (".zlas", ".db3"):
        return None
    if name.lower() in _POTREE_NAMES:
        return RawScan(*_POTREE, by_content=False)
    if suffix in _DJI_SUFFIXES:
        belongs = name.upper().startswith("DJI_") or suffix in (".ldr", ".ldrt")
        return RawScan(*_DJI, by_content=False) if belongs else None
    meaning_of_name = _BY_NAME.get(suffix)
    if meaning_of_name is None or (suffix not in _MAY_BE_TEXT and not _is_binary(head)):
        return None
    return RawScan(*meaning_of_name, by_content=False)


def is_web_page(head: bytes) -> bool:
    """True where a file begins as a page of HTML, as failed downloads do."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE)


def _is_binary(head: bytes) -> bool:
    """True for what is no text in any common encoding: control characters beside white space and marks of UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return any(byte < 9 or 13 < byte < 27 for byte in head)
