"""Whether a cloud sees through plants: laser scans do, clouds made from photographs do not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning

_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the points say of how they were made: how many there are, are flagged synthetic, of several returns, and coloured."""

    points: int
    synthetic: int
    several_returns: int
    coloured: int

    @property
    def is_flagged(self) -> bool:
        """True where all points are flagged synthetic."""
        return self.synthetic == self.points

    @property
    def penetrates(self) -> bool:
        """False where all points are flagged synthetic, or none has a second return and there are colours."""
        return not self.is_flagged and (self.several_returns > 0 or self.coloured == 0)

    def flag(self, penetrates: bool) -> bool | None:
        """What the flag of all points must be to carry the answer, None where it may stay."""
        if not penetrates:
            return True
        return False if self.is_flagged else None


def origin_of(cloud: PointCloud) -> Origin:
    """What the points of a cloud say. A cloud that states no number of returns has single ones."""
    seen = cloud.attributes
    several = np.count_nonzero(np.asarray(seen["number_of_returns"]) > 1) if "number_of_returns" in seen else 0
    flagged = np.count_nonzero(seen["synthetic"]) if "synthetic" in seen else 0
    coloured = max((int(np.count_nonzero(seen[name])) for name in _COLOURS if name in seen), default=0)
    return Origin(len(cloud), int(flagged), int(several), coloured)


def decided(origin: Origin, penetrates: bool | None) -> bool:
    """What is stated, or what the points say; a warning where they say that plants hide the ground."""
    if penetrates is not None:
        return penetrates
    if not origin.penetrates and not origin.is_flagged:
        warnings.warn(
            "the cloud looks made from photographs (colours, single returns): the ground under plants and roofs stays unknown; "
            "if a laser measured it, say penetrates=True.",
            HazardGeoWarning,
            stacklevel=3,
        )
    return origin.penetrates


def flagged(cloud: PointCloud, synthetic: bool | None) -> PointCloud:
    """The cloud with the flag `synthetic` of all points so; None leaves it."""
    return cloud if synthetic is None else cloud.with_attribute("synthetic", np.full(len(cloud), synthetic))


def hides_ground(cloud: PointCloud) -> bool:
    """True where all points are flagged synthetic: what lies under plants and roofs was not measured."""
    return "synthetic" in cloud.attributes and bool(np.all(cloud.attributes["synthetic"]))
