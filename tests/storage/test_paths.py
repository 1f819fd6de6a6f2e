"""Where the user's files live on each platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.storage.paths import user_paths

HOME = Path("/home/ada")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_linux_and_macos_follow_the_xdg_specification(platform: str) -> None:
    paths = user_paths({}, platform, HOME)

    assert paths.config == HOME / ".config" / "llm-orc"
    assert paths.state == HOME / ".local" / "state" / "llm-orc"
    assert paths.cache == HOME / ".cache" / "llm-orc"
    assert paths.runs_database == paths.state / "runs.sqlite"


def test_xdg_variables_move_them() -> None:
    environ = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/x"}

    paths = user_paths(environ, "linux", HOME)

    assert (paths.config, paths.state, paths.cache) == (Path("/c/llm-orc"), Path("/s/llm-orc"), Path("/x/llm-orc"))


@pytest.mark.parametrize("value", ["", "relative/folder", "~/config"])
def test_a_relative_xdg_value_is_ignored_as_the_specification_demands(value: str) -> None:
    assert user_paths({"XDG_CONFIG_HOME": value}, "linux", HOME).config == HOME / ".config" / "llm-orc"


def test_windows_has_settings_in_appdata_and_the_rest_in_localappdata() -> None:
    environ = {"APPDATA": r"C:\Users\Ada\AppData\Roaming", "LOCALAPPDATA": r"C:\Users\Ada\AppData\Local"}

    paths = user_paths(environ, "win32", Path(r"C:\Users\Ada"))

    assert paths.config == Path(environ["APPDATA"]) / "llm-orc"
    assert paths.state == Path(environ["LOCALAPPDATA"]) / "llm-orc" / "state"
