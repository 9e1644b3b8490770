"""What registers call their columns, in Chinese, Japanese and English, and the names that the rest of the package knows."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.io.vector import coordinates
from hazardgeo.io.vector.headings import base

KNOWN_AS: dict[str, tuple[str, ...]] = {
    "name": (
        "名称", "名字", "名稱", "避难场所名称", "应急避难场所名称", "场所名称", "避难所名称", "安置点名称",
        "村名", "村庄名称", "社区名称",
        "施設名", "施設名称", "避難所名", "避難所名称", "施設・場所名", "site_name", "shelter_name", "facility_name",
    ),
    "people": (
        "人口", "人口数", "总人口", "總人口", "常住人口", "常住人口数", "户籍人口", "居民人数", "居住人口", "居住人数", "総人口",
        "population", "residents", "pop", "inhabitants",
    ),
    "capacity_people": (
        "可容纳人数", "容纳人数", "可容纳人口", "容纳人口", "设计容纳人数", "最大容纳人数", "可安置人数", "安置人数",
        "可收容人数", "收容人数",
        "容納人數", "可容納人數", "収容人数", "収容可能人数", "想定収容人数", "最大収容人数", "capacity",
        "capacity_persons", "max_capacity",
    ),
    "indoor_area_m2": ("室内面积", "室內面積", "屋内面積", "indoor_area"),
    "outdoor_area_m2": ("室外面积", "场地面积", "露天面积", "室外場地面積", "屋外面積", "outdoor_area", "open_area"),
    "heated_area_m2": ("供暖面积", "采暖面积", "取暖面积", "暖房面積", "heated_area"),
    "area_m2": ("面积", "面積", "占地面积", "总面积", "有效面积", "有效避难面积", "area"),
    "toilets": ("厕所数", "厕所数量", "厕位数", "厕位", "蹲位数", "トイレ数", "toilet_count", "number_of_toilets"),
    "water_l_day": ("日供水量", "供水量", "每日供水量", "water_supply"),
    "elevation_m": ("高程", "海拔", "海拔高度", "标高", "標高", "elevation", "altitude"),
}  # fmt: skip
_AREAS = {
    **dict.fromkeys(("m2", "m^2", "㎡", "平方米", "平米", "平方公尺", "sqm", "sq.m", "squaremetres", "squaremeters"), 1.0),
    **dict.fromkeys(("公顷", "公頃", "ha", "hm2", "hectare", "hectares", "ヘクタール"), 10_000.0),
    **dict.fromkeys(("亩", "畝", "市亩", "mu"), 2_000.0 / 3.0),
    **dict.fromkeys(("万平方米", "万㎡", "万m2"), 10_000.0),
    **dict.fromkeys(("km2", "平方公里", "平方千米"), 1_000_000.0),
}  # fmt: skip
_PEOPLE = {
    **dict.fromkeys(("人", "人次", "名", "个", "persons", "people"), 1.0),
    **dict.fromkeys(("万人", "万"), 10_000.0),
    **dict.fromkeys(("千人",), 1_000.0),
}  # fmt: skip
_UNITS: dict[str, dict[str, float]] = {
    **dict.fromkeys(("indoor_area_m2", "outdoor_area_m2", "heated_area_m2", "area_m2"), _AREAS),
    **dict.fromkeys(("people", "capacity_people"), _PEOPLE),
    "toilets": dict.fromkeys(("个", "座", "处", "间", "基"), 1.0),
    "water_l_day": {
        **dict.fromkeys(("升/日", "升/天", "l/day", "l/d", "升"), 1.0),
        **dict.fromkeys(("吨/日", "吨/天", "t/d", "m3/d", "立方米/日", "m3/day", "立方米/天", "吨"), 1_000.0),
    },
    "elevation_m": dict.fromkeys(("m", "米", "公尺"), 1.0),
}
_TAKEN_AS = {"water_l_day": None, "area_m2": "m2", "indoor_area_m2": "m2", "outdoor_area_m2": "m2", "heated_area_m2": "m2"}
_UNIT = re.compile(r"[(\[【〔](.*?)[)\]】〕]\s*$|[/_:：](.+)$")


def standard_columns(
    features: gpd.GeoDataFrame, wanted: Sequence[str] = tuple(KNOWN_AS), *, path: Path | str = "the table"
) -> gpd.GeoDataFrame:
    """The features with the columns that registers call otherwise under the names that this package knows.

    Takes the names of `KNOWN_AS` that are in `wanted`: 名称 becomes name, 可容纳人数 capacity_people, 常住人口 people. A unit in
    the heading is obeyed (面积(公顷), 容纳人数（万人）); an area without one is taken as m2, with a warning. A plain 面积 becomes
    area_m2: whether it lies indoors is not said, so that it gives no one a place. A column that has its name already is left
    as it is, and so are its other names beside it. One HazardGeoWarning says what was read as what.

    Raises InputError where several columns could be meant, for an unknown unit, and for text among numbers of another unit.
    """
    said, assumed, out = [], [], features
    for standard in wanted:
        if standard in features.columns or standard not in KNOWN_AS:
            continue
        found = [str(c) for c in features.columns if c != features.geometry.name and _names(str(c), standard)]
        if len(found) > 1:
            raise InputError(
                f"{path} has several columns that could be {standard}: {', '.join(found)}; choose one with "
                f"columns = {{ '{found[0]}' = '{standard}' }}."
            )
        if not found:
            continue
        unit = _unit(found[0], standard)
        factor = _factor(unit, found[0], standard, path)
        if factor is None:
            continue
        if unit is None and _TAKEN_AS.get(standard):
            assumed.append(found[0])
        values = features[found[0]] if factor == 1.0 else _scaled(features[found[0]], factor, path)
        out = out.rename(columns={found[0]: standard}).assign(**{standard: values})
        said.append(f"{found[0]!r} as {standard}" + (f" (times {factor:.10g})" if factor != 1.0 else ""))
    if said:
        message = f"{path}: columns are read by their names: {', '.join(said)}"
        if assumed:
            message += f"; {', '.join(map(repr, assumed))} without a unit in m2"
        if "area_m2" in out.columns and "area_m2" not in features.columns:
            message += "; area_m2 gives nobody a place, name it indoor_area_m2 or outdoor_area_m2 with columns = { ... }"
        warnings.warn(f"{message}.", HazardGeoWarning, stacklevel=2)
    return out


def _names(column: str, standard: str) -> bool:
    """True where a column is called by a known name, with or without a unit."""
    known = KNOWN_AS[standard]
    if base(column) in known or base(column) == standard:
        return True
    bare = base(_UNIT.sub("", unicodedata.normalize("NFKC", column).strip()))
    return bare in known and _unit(column, standard) is not None


def _unit(column: str, standard: str) -> str | None:
    """The unit that a heading states, None where it states none."""
    match = _UNIT.search(unicodedata.normalize("NFKC", column).strip())
    if match is None:
        return None
    text = "".join((match[1] or match[2]).split()).lower().removeprefix("单位:").removeprefix("単位:")
    if match[2] is not None and text not in _UNITS.get(standard, {}):
        return None
    return text


def _factor(unit: str | None, column: str, standard: str, path: Path | str) -> float | None:
    """What a column is multiplied with; None where its unit must be known and is not."""
    units = _UNITS.get(standard)
    if units is None or unit == "":
        return 1.0
    if unit is None:
        return None if standard == "water_l_day" else 1.0
    if unit in units:
        return units[unit]
    if standard not in _TAKEN_AS:
        return None  # of households, beds or a part of the people: not what the name stands for
    raise InputError(f"{path}: the unit {unit!r} of column {column!r} is not known; convert it, and name it {standard}.")


def _scaled(column: pd.Series[Any], factor: float, path: Path | str) -> pd.Series[Any]:
    numbers = coordinates.numbers(column, decimal_comma=False)
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        raise InputError(f"{path}: column {column.name!r} holds {column[wrong].iloc[0]!r} among its numbers; correct it.")
    return (numbers * factor).round(9)
