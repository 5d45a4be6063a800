"""An emulator of one HubSpot portal: its records and its REST API."""

from __future__ import annotations

from sandbox.hubspot.http import app
from sandbox.hubspot.portal import ApiError, Portal

__all__ = ["ApiError", "Portal", "app"]
