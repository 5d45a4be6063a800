"""An emulator of one Salesforce organization: its records and its REST API."""

from __future__ import annotations

from sandbox.salesforce.http import app
from sandbox.salesforce.org import ApiError, Org

__all__ = ["ApiError", "Org", "app"]
