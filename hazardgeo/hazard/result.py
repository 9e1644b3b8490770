"""What hazard models return: displacement, and probability with the share of ground affected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import numpy as np
from scipy.special import ndtr

from hazardgeo.errors import InputError
from hazardgeo.hazard.field import Field, unwrap


@dataclass(frozen=True, slots=True)
class Displacement(Generic[Field]):
    """Coseismic sliding displacement of a rigid block per cell.

    `median_cm` is NaN where it is unknown and on slopes that fail at rest, which `unstable` marks: there no
    displacement law holds. `sigma_ln` is the standard deviation of the natural logarithm. `state`: 0 input missing,
    1 assessed, 2 outside the range of the model.
    """

    median_cm: Field
    sigma_ln: float
    state: Field
    unstable: Field
    model: str
    citation: str
    validity: str

    def exceedance(self, threshold_cm: float) -> Field:
        """Probability that the displacement exceeds `threshold_cm`, 0 to 1, with a lognormal scatter of the law.

        1 where the slope fails at rest, 0 where the block cannot move, NaN where the displacement is unknown. The
        scatter of the shaking itself is not in it. Raises InputError unless the threshold is positive.
        """
        if not threshold_cm > 0:
            raise InputError(f"the displacement threshold is {threshold_cm} cm; give a positive number of centimetres.")
        cells = unwrap(median_cm=self.median_cm, unstable=self.unstable)
        with np.errstate(divide="ignore"):
            standard = (np.log(cells["median_cm"]) - np.log(threshold_cm)) / self.sigma_ln
        probability = np.where(cells["unstable"] > 0, 1.0, ndtr(standard))
        said = {"model": self.model, "citation": self.citation, "validity": self.validity}
        return cells.wrap(probability, f"p_displacement_over_{threshold_cm:g}_cm", "1", said)


@dataclass(frozen=True, slots=True)
class Probability(Generic[Field]):
    """Probability of ground failure per cell, and the share of the cell's area that it affects, both 0 to 1.

    Both are 0 where the model masks the cell and NaN where an input is missing. `sigma` is the standard deviation of
    `area_fraction`, NaN where masked or missing. `state`, the gravest first: 0 input missing, 2 outside the range of the
    model (masked or not), 3 masked by the model, 1 assessed.
    """

    probability: Field
    area_fraction: Field
    sigma: Field
    state: Field
    model: str
    citation: str
    validity: str
