"""The saved logins of the bot's accounts: a file that only its owner can read, written whole or not at all."""

from __future__ import annotations

import json
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from bot.errors import BotError

log = logging.getLogger(__name__)

VERSION = 1
"""Of the file."""
_MAX_BYTES = 1_000_000


class TokenFileError(BotError):
    """The file cannot be used; the message says why and what to do, without secrets."""


@dataclass(frozen=True, slots=True)
class Token:
    """A login: the permission to act for an account."""

    login: str
    """The account's name, lower case."""
    user_id: str
    """Its number at Twitch."""
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    """Buys the next ``access``. A public application's is valid for 30 days and one use; losing it means a new login."""
    scopes: frozenset[str] = frozenset()
    """What the account allowed."""


def default_path() -> Path:
    """Where logins are saved unless the config says otherwise."""
    return Path(platformdirs.user_state_dir("zoomdream", appauthor=False)) / "twitch_tokens.json"


class TokenStore:
    """The file of logins. It is read for every question, so that logins made by other programs count."""

    def __init__(self, path: Path, client_id: str) -> None:
        """Args:
        client_id: the application that the logins are for; another application's are neither used nor changed.
        """
        self.path, self._client_id = path, client_id

    def get(self, login: str) -> Token | None:
        """The login of an account; None when there is none.

        Raises:
            TokenFileError: the file is there and cannot be used.
        """
        entry = self._accounts(self._read()).get(login.lower())
        if entry is None:
            return None
        try:
            scopes = frozenset(str(scope) for scope in entry["scopes"])
            return Token(login.lower(), str(entry["user_id"]), str(entry["access"]), str(entry["refresh"]), scopes)
        except (KeyError, TypeError) as error:
            raise self._unusable(f"the login of {login} is incomplete") from error

    def put(self, token: Token) -> None:
        """Save a login, in place of the account's last one.

        Raises:
            TokenFileError: it could not be written; the file is unchanged.
        """
        data = self._read()
        self._accounts(data)[token.login] = {
            "user_id": token.user_id,
            "access": token.access,
            "refresh": token.refresh,
            "scopes": sorted(token.scopes),
        }
        self._write(data)

    def forget(self, login: str) -> None:
        """Drop an account's login.

        Raises:
            TokenFileError: it could not be written; the file is unchanged.
        """
        data = self._read()
        if self._accounts(data).pop(login.lower(), None) is not None:
            self._write(data)

    def _accounts(self, data: dict[str, Any]) -> dict[str, Any]:
        accounts = data.setdefault("applications", {}).setdefault(self._client_id, {})
        if not isinstance(accounts, dict):
            raise self._unusable("its content is not what it should be")
        return accounts

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                raw = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return {"version": VERSION}
        except OSError as error:
            raise TokenFileError(
                f"{self.path}: cannot be read ({error.strerror}); make it readable, or name another"
            ) from error
        if mode & 0o077:
            log.warning("%s could be read by others (mode %o); now only its owner can", self.path, mode)
            with suppress(OSError):
                self.path.chmod(0o600)
        try:
            data = json.loads(raw)
        except ValueError as error:
            raise self._unusable("it is damaged") from error
        if not isinstance(data, dict) or not isinstance(data.get("applications", {}), dict):
            raise self._unusable("its content is not what it should be")
        return data

    def _unusable(self, why: str) -> TokenFileError:
        return TokenFileError(f"{self.path}: {why}; delete it and log in again")

    def _write(self, data: dict[str, Any]) -> None:
        write_private(self.path, json.dumps(data, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read: whole or not at all, and safe from a power cut once this returns.

    Raises:
        TokenFileError: it could not be written; the file is unchanged.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            new.unlink()
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise TokenFileError(f"{path}: cannot be written ({error.strerror}); make room or name another file") from error
