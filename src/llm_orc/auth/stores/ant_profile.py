"""The profile of `ant auth login`, Anthropic's own sign-in for its API: read as its SDK reads it, never written.

`configs/<profile>.json` says where the profile belongs, `credentials/<profile>.json` contains its token. That tool
refreshes the token, so a new one is read from the file, and its refresh token is never read.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import Entry, OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.auth.stores.older import OlderContents
from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.net.origin import origin_of
from llm_orc.storage.private_file import Stamp, read_private, stamp_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_ROW = next(row for row in PROVIDERS.values() if row.profiles_of == "ant")
PROVIDER = _ROW.name
_BETA = "oauth-2025-04-20"  # unlocks bearer tokens at this API
_LIMIT_BYTES = 1024 * 1024
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _Unusable(Exception):
    """Why an existing profile can't be used: a sentence without any value that could be a secret."""


@dataclass(frozen=True, slots=True)
class _Config:
    """What the profile's configuration says."""

    credentials: Path
    origin: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read, and what its files were like then."""

    contents: OlderContents = field(default_factory=OlderContents)
    headers: Mapping[str, str] = field(default_factory=dict)
    stamps: tuple[tuple[Path, Stamp | None], ...] = ()

    @property
    def is_current(self) -> bool:
        return bool(self.stamps) and all(stamp_of(path) == stamp for path, stamp in self.stamps)


class AntProfile:
    """The active profile: named by `ANTHROPIC_PROFILE`, else by the file `active_config`, else `default`."""

    def __init__(self, environ: Mapping[str, str], platform: str, home: Path) -> None:
        self._environ = environ
        self._folder = _folder(environ, platform, home)
        self._reading = _Reading()

    @property
    def name(self) -> str:
        """The configured name, whether such a profile can be used or not."""
        if named := self._environ.get("ANTHROPIC_PROFILE"):
            return named
        try:
            return (self._folder / "active_config").read_text(encoding="utf-8").strip() or "default"
        except (OSError, UnicodeDecodeError):
            return "default"

    @property
    def entry(self) -> Entry | None:
        """The sign-in in the file now, expired or not; None if none can be read."""
        return next(iter(self.read().entries), None)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that accompany the token on every request."""
        self.read()
        return self._reading.headers

    def read(self) -> OlderContents:
        if not self._reading.is_current:
            self._reading = self._read()
        return self._reading.contents

    def _read(self) -> _Reading:
        name = self.name
        path = self._folder / "configs" / f"{name}.json"
        # Taken before reading: a change meanwhile is read again.
        stamps = [(file, stamp_of(file)) for file in (self._folder / "active_config", path)]
        try:
            _refuse_name(name)
            config = _read_config(path, self._folder / "credentials" / f"{name}.json", self._environ)
            if config is None:
                return _Reading()
            stamps.append((config.credentials, stamp_of(config.credentials)))
            entry = Entry(
                PROVIDER,
                name,
                _read_token(config.credentials),
                Billing.METERED,
                origin=config.origin,
                source="ant-profile",
            )
        except (_Unusable, StorageError) as e:
            said = f"the profile `{name}` of `ant auth login` can't be used: {e}"
            return _Reading(OlderContents((), (said,), is_readable=False))
        return _Reading(OlderContents((entry,)), config.headers, tuple(stamps))


def _folder(environ: Mapping[str, str], platform: str, home: Path) -> Path:
    if named := environ.get("ANTHROPIC_CONFIG_DIR"):
        return Path(named)
    if platform == "win32":
        appdata = environ.get("APPDATA")
        return (Path(appdata) if appdata else home / "AppData" / "Roaming") / "Anthropic"
    return home / ".config" / "anthropic"  # on macOS too


def _refuse_name(name: str) -> None:
    """Refuse a name that is not a plain file name: it must not lead out of its folder."""
    if name != name.strip() or name.startswith(".") or not name.isprintable() or {"/", "\\"} & set(name):
        raise _Unusable("this is not a valid profile name")


def _read_config(path: Path, usual: Path, environ: Mapping[str, str]) -> _Config | None:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_LIMIT_BYTES)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise _Unusable(f"can't read `{path}`: {e.strerror or e}") from e
    if os.name != "nt" and mode & _OTHERS_WRITE:
        raise _Unusable(f"`{path}` is writable by others (mode {mode:04o}); run `chmod go-w {path}`")
    config = _json_object(data, path)
    auth = config.get("authentication")
    if not isinstance(auth, dict) or auth.get("type") != "user_oauth":
        raise _Unusable(f"`{path}` is not a person's sign-in (`authentication.type` is not `user_oauth`)")
    credentials, workspace = auth.get("credentials_path"), config.get("workspace_id")
    return _Config(
        credentials=Path(str(credentials)).expanduser() if credentials else usual,
        origin=_origin(config.get("base_url") or environ.get("ANTHROPIC_BASE_URL") or _ROW.base_url, path),
        headers=_headers(workspace or environ.get("ANTHROPIC_WORKSPACE_ID")),
    )


def _origin(base_url: JsonValue, path: Path) -> str:
    try:
        return origin_of(str(base_url))
    except ValueError as e:
        raise _Unusable(f"the `base_url` for `{path}` is not a URL: {e}") from e


def _headers(workspace: JsonValue) -> Mapping[str, str]:
    headers = {"anthropic-beta": _BETA}
    if workspace and (text := str(workspace)).isprintable():
        headers["anthropic-workspace-id"] = text
    return headers


def _read_token(path: Path) -> OAuthToken:
    file = read_private(path, limit_bytes=_LIMIT_BYTES, repair=False)
    if file is None:
        raise _Unusable(f"`{path}` is missing")
    if file.was_loose is not None:
        raise _Unusable(f"`{path}` is readable by others (mode {file.was_loose:04o}); run `chmod 600 {path}`")
    fields = _json_object(file.data, path)
    token = fields.get("access_token")
    if fields.get("type") not in {None, "oauth_token"} or not isinstance(token, str) or not token:
        raise _Unusable(f"`{path}` has no `access_token`")
    return OAuthToken(Secret(token), expires_at=_expires_at(fields.get("expires_at"), path))


def _expires_at(value: JsonValue, path: Path) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, int | float | str):
            return float(int(value))
    except (ValueError, OverflowError):
        pass
    raise _Unusable(f"`expires_at` in `{path}` is not a time in Unix seconds")


def _json_object(data: bytes, path: Path) -> dict[str, JsonValue]:
    try:
        found: JsonValue = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _Unusable(f"`{path}` contains no JSON object")  # quoting it might reveal a secret
    return found
