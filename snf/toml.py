"""A TOML file becomes frozen settings, or one clear sentence."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, fields, has

_Settings = TypeVar("_Settings")


class ConfigError(Exception):
    """A setting is wrong; the text names the file, the table and the key."""


def load(path: Path, kind: type[_Settings]) -> _Settings:
    """
    Read a TOML file into a class of ``snf.config``.

    :raises ConfigError: The file cannot be read, is not TOML, has a table or key that
        is not known, lacks one that is needed, or a value is of the wrong type or size.
    """
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as failure:
        raise ConfigError(f"{path}: {failure.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise ConfigError(f"{path}: {failure}") from None
    return build(str(path), kind, tables)


def secret(path: Path) -> str:
    """
    Return what a secret's file holds, without the newline at its end.

    :raises ConfigError: It cannot be read or is empty.
    """
    try:
        text = path.read_text("utf-8").rstrip("\n")
    except OSError as failure:
        raise ConfigError(f"{path}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None
    if not text:
        raise ConfigError(f"{path}: is empty")
    return text


def build(where: str, kind: type[_Settings], given: Mapping[str, Any]) -> _Settings:
    """
    Return the settings that tables of plain values stand for.

    :param where: What mistakes are to begin with, such as the file's name.
    :raises ConfigError: As ``load``.
    """
    hints = get_type_hints(kind)
    known = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: {key}: not known; one of {', '.join(known)}")
    for key, default in known.items():
        if default is NOTHING and key not in given:
            raise ConfigError(f"{where}: {key}: is missing")
    settings = kind(
        **{key: _value(f"{where}: {key}", hints[key], given[key]) for key in given}
    )
    try:
        getattr(settings, "check", lambda: None)()
    except ValueError as failure:
        raise ConfigError(f"{where}: {failure}") from None
    return settings


_WORDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _value(where: str, hint: Any, given: Any) -> Any:
    """Return what a key's value stands for, which must be as its class says."""
    if has(hint):
        return build(where, hint, _plain(where, dict, given))
    if get_origin(hint) in (Union, UnionType):
        [hint] = [choice for choice in get_args(hint) if choice is not type(None)]
    if get_origin(hint) is tuple:
        items = _plain(where, list, given)
        return tuple(_value(where, get_args(hint)[0], item) for item in items)
    if hint is Path:
        return _path(where, _plain(where, str, given))
    if hint is float:
        return _number(where, given)
    return _plain(where, hint, given)


def _path(where: str, text: str) -> Path:
    if not text or "\0" in text:
        raise ConfigError(f"{where}: must be a path, not {text!r}")
    return Path(text)


def _number(where: str, given: Any) -> float:
    if type(given) is int and abs(given) < 2**53:
        return float(given)
    number = _plain(where, float, given)
    if not math.isfinite(number):
        raise ConfigError(f"{where}: must be a number, not {number}")
    return number


def _plain(where: str, kind: type, given: Any) -> Any:
    if type(given) is not kind:
        raise ConfigError(f"{where}: must be {_WORDS[kind]}, not {given!r}")
    return given
