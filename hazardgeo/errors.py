"""What can go wrong, as types.

    HazardGeoError
    ├── InputError (ValueError)          the data given cannot be used as they are
    │   ├── CrsError                     missing, wrong or unsuitable coordinate reference system
    │   ├── HeightError                  two height references that may not meet
    │   ├── GridMismatchError            two rasters that do not lie on the same cells
    │   ├── MissingLayerError            a layer that a model needs is not there
    │   └── MissingColumnError           a column that a table needs is not there
    ├── FormatError (OSError)            a file that cannot be read or written
    ├── ConfigError (ValueError)         a scenario or an option that makes no sense
    ├── InfeasibleError                  a question that has no answer
    ├── TileError                        the work on a tile that failed, or ended the process that did it
    └── MissingPackageError (ImportError) an optional package that is not installed
    HazardGeoWarning (UserWarning)       a result that is usable but weaker than it could be

Every message says in one line what is wrong, where, and what to do.
"""

from __future__ import annotations


class HazardGeoError(Exception):
    """Any error that hazardgeo raises on purpose."""


class InputError(HazardGeoError, ValueError):
    """Data that cannot be used as they are."""


class CrsError(InputError):
    """A coordinate reference system that is missing, wrong or unsuitable."""


class HeightError(InputError):
    """Elevations with different height references that may not meet."""


class GridMismatchError(InputError):
    """Rasters that do not lie on the same cells."""


class MissingLayerError(InputError):
    """A layer that a model needs and that is not there."""


class MissingColumnError(InputError):
    """A column that a table needs and that is not there."""


class FormatError(HazardGeoError, OSError):
    """A file that cannot be read or written."""


class ConfigError(HazardGeoError, ValueError):
    """A scenario or an option that makes no sense."""


class InfeasibleError(HazardGeoError):
    """A question that has no answer."""


class TileError(HazardGeoError):
    """Work on one tile that failed, or that ended the process that did it."""


class MissingPackageError(HazardGeoError, ImportError):
    """An optional package that is not installed; the message names the command that installs it."""


class HazardGeoWarning(UserWarning):
    """A result that is usable but weaker than it could be; the message says by how much."""
