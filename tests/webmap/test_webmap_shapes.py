from __future__ import annotations

import datetime

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, InputError, MissingColumnError
from hazardgeo.webmap import Style, shapes
from hazardgeo.webmap.layers import vector_layer
from hazardgeo.webmap.texts import json_block, shown

OPTIONS = {"name": "a", "by": None, "classes": {}, "popup": {}, "shown": True, "radius_px": 5, "note": ""}


def frame(geometry, crs=4326, **columns):
    return geopandas.GeoDataFrame(columns, geometry=list(geometry), crs=crs)


def walked(steps, corner):
    return (np.cumsum(np.reshape(steps, (-1, 2)), axis=0) + corner) / 1e6


def test_shapes_are_coded_as_steps_of_a_millionth_of_a_degree():
    square = shapely.box(1, 2, 1.00001, 2.00002)
    assert shapes.encoded(np.array([shapely.Point(1.000005, 2.000003)]), (1_000_000, 2_000_000)) == [[[5, 3]]]
    line = shapely.LineString([(1, 2), (1.000002, 2), (1.0000021, 2), (1.000002, 2.000004)])
    assert shapes.encoded(np.array([line]), (1_000_000, 2_000_000)) == [[[0, 0, 2, 0, 0, 4]]]
    ring = shapes.encoded(np.array([square]), (1_000_000, 2_000_000))[0][0][0]
    assert np.allclose(walked(ring, (1_000_000, 2_000_000)), shapely.get_coordinates(square)[:-1], atol=1e-12)


def test_holes_and_parts_are_kept_apart():
    holed = shapely.box(0, 0, 9, 9).difference(shapely.box(2, 2, 4, 4))
    both = shapely.MultiPolygon([holed, shapely.box(20, 20, 21, 21)])
    parts = shapes.encoded(np.array([both, shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]])]), (0, 0))
    assert [len(part) for part in parts[0]] == [2, 1]
    assert [len(path) for path in parts[1]] == [4, 4]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-179, 179), st.floats(-84, 84)), min_size=2, max_size=9, unique=True))
def test_coded_lines_read_back_to_half_a_step(points):
    line = np.array([shapely.LineString(points)])
    [[steps]] = shapes.encoded(line, (0, 0))
    back = shapely.LineString(walked(steps, (0, 0))) if len(steps) > 2 else shapely.Point(walked(steps, (0, 0))[0])
    assert shapely.hausdorff_distance(back, line[0]) <= 0.8e-6


def test_other_crs_land_in_the_right_place():
    gdf = frame([shapely.Point(500_000, 4_649_776.22)], crs=32631)  # on the central meridian of zone 31, at 42 N
    layer = vector_layer(gdf, **OPTIONS)
    assert layer.bounds == pytest.approx((3, 42, 3, 42), abs=1e-6)
    corner, [[[east, north]]] = layer.content["corner"], layer.content["shapes"]
    assert (corner[0] + east, corner[1] + north) == (3_000_000, 42_000_000)


def test_attribute_values_of_any_kind_become_words():
    aware = datetime.datetime(2024, 1, 14, 3, 20, tzinfo=datetime.UTC)
    values = [None, np.nan, pd.NaT, pd.NA, np.inf, -np.inf, True, np.False_, 3, np.int64(4), 0.5, aware, [1, 2]]
    words = ["unknown"] * 4 + ["infinite", "minus infinite", "yes", "no", "3", "4", "0.5", "2024-01-14 03:20:00+00:00", "[1, 2]"]
    assert [shown(v) for v in values] == words
    gdf = frame([shapely.Point(1, 1)] * len(values), v=pd.Series(values, dtype=object))
    field = vector_layer(gdf, **(OPTIONS | {"popup": {"v": "Value"}})).content["fields"][0]
    assert sorted(field["texts"][code] for code in field["codes"]) == sorted(words)


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_no_text_can_end_the_element_it_stands_in(text):
    block = json_block({text: [text]})
    assert not set(block) & set("<>&\u2028\u2029")
    block.encode("utf-8")


def test_lone_surrogates_do_not_stop_a_page():
    assert json_block("\ud800") == '"?"'


def test_rows_without_a_value_are_hatched_as_unknown_and_drawn_last():
    gdf = frame([shapely.Point(i, i) for i in range(3)], s=["shut", None, "open"])
    classes = {"open": Style("#00aa00", "open"), "shut": Style("#aa0000", "shut")}
    content = vector_layer(gdf, **(OPTIONS | {"by": "s", "classes": classes})).content
    assert [e["label"] for e in content["legend"]["entries"]] == ["open (1)", "shut (1)", "unknown (1)"]
    assert content["styles"][-1]["hatched"]
    assert content["style_of"] == [0, 1, 2]


def test_values_that_no_class_names_are_refused():
    gdf = frame([shapely.Point(1, 1)], s=["collapsed"])
    with pytest.raises(InputError, match=r"holds \['collapsed'\], which classes= does not name"):
        vector_layer(gdf, **(OPTIONS | {"by": "s", "classes": {"open": Style("#00aa00", "open")}}))


def test_lines_without_popups_become_one_shape_per_class():
    lines = [shapely.LineString([(i, 0), (i, 1)]) for i in range(6)]
    gdf = frame(lines, s=list("aababb"))
    classes = {"a": Style("#000000", "a"), "b": Style("#ffffff", "b")}
    merged = vector_layer(gdf, **(OPTIONS | {"by": "s", "classes": classes})).content
    assert [len(parts) for parts in merged["shapes"]] == [3, 3]
    single = vector_layer(gdf, **(OPTIONS | {"by": "s", "classes": classes, "popup": {"s": "Status"}})).content
    assert [len(parts) for parts in single["shapes"]] == [1] * 6


def test_entries_without_a_place_are_counted_in_the_note():
    gdf = frame([None, shapely.Point(), shapely.Point(1, 1)])
    content = vector_layer(gdf, **OPTIONS).content
    assert content["note"] == "2 of 3 entries have no place and are not drawn."
    empty = vector_layer(frame([], s=[]), **(OPTIONS | {"by": "s", "popup": {"s": "S"}}))
    assert empty.bounds is None
    assert empty.content["shapes"] == []


def test_heights_of_vertices_are_left_out_and_input_is_not_changed():
    gdf = frame([shapely.Point(1, 1, 900)], n=[1])
    before = gdf.copy()
    assert vector_layer(gdf, **OPTIONS).content["shapes"] == [[[0, 0]]]
    assert_geodataframe_equal(gdf, before)


def test_unusable_layers_are_refused_with_the_reason():
    point = [shapely.Point(1, 1)]
    with pytest.raises(CrsError, match=r"set_crs"):
        vector_layer(frame(point, crs=None), **OPTIONS)
    with pytest.raises(MissingColumnError, match="no column 'why'; it has"):
        vector_layer(frame(point), **(OPTIONS | {"popup": {"why": "Why"}}))
    with pytest.raises(InputError, match="antimeridian"):
        vector_layer(frame([shapely.Point(179, 1), shapely.Point(-179, 1)]), **OPTIONS)
    with pytest.raises(InputError, match=r"latitude 85\.05"):
        vector_layer(frame([shapely.Point(1, 88)]), **OPTIONS)
    with pytest.raises(InputError, match="cannot be placed"):
        vector_layer(frame([shapely.Point(1e30, 1e30)], crs=32631), **OPTIONS)
    with pytest.raises(InputError, match="geometry collections"):
        vector_layer(frame([shapely.GeometryCollection([shapely.Point(1, 1)])]), **OPTIONS)
    with pytest.raises(InputError, match="no column to tell them"):
        vector_layer(frame(point), **(OPTIONS | {"classes": {1: Style("#000000", "a"), 2: Style("#ffffff", "b")}}))
    with pytest.raises(InputError, match="'red' of class 'closed'"):
        Style("red", "closed")
    with pytest.raises(InputError, match="the dash"):
        Style("#ff0000", "closed", dash="dotted")


def test_rings_that_are_lines_are_drawn_closed():
    ring = shapely.LinearRing([(0, 0), (1e-6, 0), (1e-6, 1e-6)])
    assert shapes.encoded(np.array([ring]), (0, 0)) == [[[0, 0, 1, 0, 0, 1, -1, -1]]]
    assert shapes.encoded(np.array([shapely.Polygon(ring)]), (0, 0)) == [[[[0, 0, 1, 0, 0, 1]]]]
