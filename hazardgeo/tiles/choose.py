"""On what work is run: this process, processes of this machine as far as memory reaches, or the machines of a cluster."""

from __future__ import annotations

import warnings

from hazardgeo.errors import ConfigError, HazardGeoWarning
from hazardgeo.tiles.call import Executor, InProcess
from hazardgeo.tiles.cluster import Cluster
from hazardgeo.tiles.memory import WORKER_BYTES, available_bytes, jobs_that_fit
from hazardgeo.tiles.pool import Pool


def executor(*, jobs: int | None = None, scheduler: str | None = None, bytes_per_job: int) -> Executor:
    """What work is run on: a Cluster where a scheduler is named, else `jobs` processes, all processors when None.

    Fewer processes are taken where memory allows no more of `bytes_per_job`, what the work on one tile takes, with a
    HazardGeoWarning where `jobs` asked for more. One job runs in this process. Raises ConfigError for `jobs` together
    with a scheduler or below 1, and what `Cluster` raises.
    """
    if scheduler is not None:
        if jobs is not None:
            raise ConfigError(
                f"jobs ({jobs}) are for this machine and a scheduler ({scheduler}) for others; give one of the two."
            )
        return Cluster(scheduler)
    fit = jobs_that_fit(jobs, bytes_per_job=bytes_per_job)
    if jobs is not None and fit < jobs:
        free, each = available_bytes() / 1e6, (bytes_per_job + WORKER_BYTES) / 1e6
        text = f"{fit} of {jobs} jobs are started: {free:,.0f} MB of memory are free, and each job takes {each:,.0f} MB."
        warnings.warn(text, HazardGeoWarning, stacklevel=2)
    return InProcess() if fit == 1 else Pool(fit)
