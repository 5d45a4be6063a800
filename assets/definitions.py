"""What Dagster loads: the definitions for the rapport.yml that is found.

Belongs here: nothing but the two names. How they are made is in `assets.wiring`, which a run
from Python imports without loading anything.
"""

from __future__ import annotations

from assets.wiring import build_defs

__all__ = ["build_defs", "defs"]

defs = build_defs()
