import pytest

from hazardgeo import crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HeightError


@pytest.mark.parametrize("given", [32648, "EPSG:32648", "+proj=utm +zone=48 +datum=WGS84 +units=m +no_defs"])
def test_one_system_written_in_several_ways_is_normalised_to_its_code(given: object) -> None:
    assert crs.horizontal(given).to_epsg() == 32648


def test_a_compound_system_is_split_into_plane_and_height() -> None:
    plane, height = crs.split("EPSG:7415")  # Amersfoort / RD New + NAP height
    assert plane.to_epsg() == 28992
    assert height == Height("orthometric", "EPSG:5709")


def test_a_three_dimensional_system_has_ellipsoidal_heights() -> None:
    plane, height = crs.split("EPSG:4979")
    assert plane.to_epsg() == 4326
    assert height.kind == "ellipsoidal"


def test_a_plane_system_says_nothing_of_heights() -> None:
    assert crs.split(32648)[1] == Height("unknown")


@pytest.mark.parametrize(
    ("given", "match"), [(None, "no coordinate reference"), ("nonsense", "not a coordinate"), (4978, "not a map")]
)
def test_what_is_no_map_system_is_refused(given: object, match: str) -> None:
    with pytest.raises(CrsError, match=match):
        crs.horizontal(given)


def test_feet_and_degrees_are_not_metres() -> None:
    assert crs.is_metric(crs.horizontal(32648))
    assert not crs.is_metric(crs.horizontal(4326))
    assert not crs.is_metric(crs.horizontal(2903))  # US survey feet


@pytest.mark.parametrize(("place", "code"), [((102.8, 35.7), 32648), ((-70.0, -30.0), 32719), ((180.0, 10.0), 32601)])
def test_utm_zone_of_a_place(place: tuple[float, float], code: int) -> None:
    assert crs.utm(*place).to_epsg() == code


def test_two_kinds_of_heights_never_meet() -> None:
    with pytest.raises(HeightError, match="different height references"):
        Height("ellipsoidal").require_same(Height("orthometric"))
    with pytest.raises(HeightError, match="EPSG:5737"):
        Height("orthometric", "EPSG:5737").require_same(Height("orthometric", "EPSG:5773"))
    with pytest.raises(HeightError):
        Height().require_same(Height("orthometric"))
    Height("orthometric").require_same(Height("orthometric", "EPSG:5737"))
