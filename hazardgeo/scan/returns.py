"""Which echoes of a pulse points are."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError

Returns = Literal["first", "last", "all"]


def of_returns(cloud: PointCloud, returns: Returns) -> NDArray[np.bool_]:
    """True for the first, the last or all returns.

    Points without return numbers, and those whose numbers make no sense (0, or more than there are returns), are single
    returns: first and last. Raises InputError for another choice.
    """
    if returns not in get_args(Returns):
        raise InputError(f"returns={returns!r} is none of {', '.join(get_args(Returns))}.")
    if returns == "all" or "return_number" not in cloud.attributes:
        return np.ones(len(cloud), bool)
    number = np.asarray(cloud.attributes["return_number"]).astype(np.int64)
    total = np.asarray(cloud.attributes.get("number_of_returns", number)).astype(np.int64)
    single = (number < 1) | (number > total)
    return np.asarray(single | (number == 1 if returns == "first" else number == total))
