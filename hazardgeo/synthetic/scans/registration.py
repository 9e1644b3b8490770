"""Registration: how the after epoch lies beside the before epoch, as scans of different flights do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.synthetic.layout import CENTRE, FLOOR_LEVEL_M

Field = NDArray[np.float64]
RULE = "after = R (true - centre) + centre + shift; R turns about the east axis, then about the north axis (right-handed)"


@dataclass(frozen=True, slots=True)
class Registration:
    """A rigid shift (east, north, up) in m and a tilt in degrees about the east and the north axis through `centre`."""

    shift_m: tuple[float, float, float]
    tilt_deg: tuple[float, float]
    centre: tuple[float, float, float]

    @property
    def rotation(self) -> Field:
        """The matrix R, 3 x 3."""
        about_east, about_north = (math.radians(angle) for angle in self.tilt_deg)
        s, c = math.sin(about_east), math.cos(about_east)
        east = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
        s, c = math.sin(about_north), math.cos(about_north)
        north = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        return np.asarray(north @ east)

    def applied(self, xyz: Field) -> Field:
        """True places (n, 3) as the after epoch has them."""
        return self._moved(xyz, self.rotation, self.shift_m, (0.0, 0.0, 0.0))

    def undone(self, xyz: Field) -> Field:
        """Places (n, 3) of the after epoch as they truly are."""
        return self._moved(xyz, self.rotation.T, (0.0, 0.0, 0.0), self.shift_m)

    def _moved(self, xyz: Field, turn: Field, plus: tuple[float, ...], minus: tuple[float, ...]) -> Field:
        x, y, z = (xyz[:, k] - self.centre[k] - minus[k] for k in range(3))
        moved = np.empty_like(xyz)
        for k in range(3):
            moved[:, k] = turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z + (self.centre[k] + plus[k])
        return moved

    def as_answer(self) -> dict[str, Any]:
        return {
            "shift_m": {"east": self.shift_m[0], "north": self.shift_m[1], "up": self.shift_m[2]},
            "tilt_deg": {"about_east": self.tilt_deg[0], "about_north": self.tilt_deg[1]},
            "centre": list(self.centre),
            "rule": RULE,
        }


def from_answer(answer: dict[str, Any]) -> Registration:
    """The registration that answers.json states."""
    shift, tilt = answer["shift_m"], answer["tilt_deg"]
    east, north, up = answer["centre"]
    return Registration(
        (shift["east"], shift["north"], shift["up"]), (tilt["about_east"], tilt["about_north"]), (east, north, up)
    )


def drawn(rng: np.random.Generator) -> Registration:
    """A horizontal shift of 0.25 to 0.55 m, 0.10 to 0.20 m up or down, and a tilt of 0.001 to 0.003 degrees about each axis."""
    length, heading = rng.uniform(0.25, 0.55), rng.uniform(0, 2 * math.pi)
    up, about_east, about_north = rng.choice([-1.0, 1.0], 3) * rng.uniform((0.10, 0.001, 0.001), (0.20, 0.003, 0.003))
    east, north = length * math.sin(heading), length * math.cos(heading)
    shift = (round(float(east), 3), round(float(north), 3), round(float(up), 3))
    return Registration(shift, (round(float(about_east), 5), round(float(about_north), 5)), (*CENTRE, FLOOR_LEVEL_M))
