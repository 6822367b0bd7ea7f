"""Listings: a table for people, or JSON for programs."""

from collections.abc import Sequence
from typing import Any

import click
import orjson

as_json = click.option("--json", "json", is_flag=True, help="Print JSON.")


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]], json: bool) -> None:
    """Print rows, each with a value for each column."""
    if json:
        items = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(orjson.dumps(items, default=str, option=orjson.OPT_INDENT_2))
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(cell) for cell in column)
        for column in zip(columns, *cells, strict=True)
    ]
    for line in (columns, *cells):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None or value == () or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)
