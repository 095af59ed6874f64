"""Options that several commands have."""

from __future__ import annotations

import click

SECONDS = click.FloatRange(min=0.01)

base_url_option = click.option("--base-url", help="Address of the service.")
