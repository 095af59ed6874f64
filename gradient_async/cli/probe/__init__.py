"""The checks of ``gradient-async doctor --probe`` on the live service."""
