"""The demo valley: an invented place after an invented earthquake, with planted truth to test against."""

from hazardgeo.synthetic.score import Metric, score
from hazardgeo.synthetic.valley import valley

__all__ = ["Metric", "score", "valley"]
