"""Whether a browser can be opened is told from the environment alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.methods.browser import CONSOLE_BROWSERS, BrowserChances, browser_chances, is_console_browser

_DESKTOP = {"DISPLAY": ":0"}


def chances(
    environ: dict[str, str], platform: str = "linux", programs: tuple[str, ...] = ("xdg-open",), file: str = ""
) -> BrowserChances:
    return browser_chances(
        environ, platform, lambda name: f"/usr/bin/{name}" if name in programs else None, lambda path: path == file
    )


@pytest.mark.parametrize(
    ("environ", "platform"),
    [(_DESKTOP, "linux"), ({"WAYLAND_DISPLAY": "wayland-0"}, "linux"), ({}, "darwin"), ({}, "win32")],
)
def test_a_desktop_opens_a_browser_and_waits_for_it(environ: dict[str, str], platform: str) -> None:
    assert chances(environ, platform) == BrowserChances(may_open=True, offers_paste=False)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({**_DESKTOP, "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "SSH"),
        ({**_DESKTOP, "SSH_TTY": "/dev/pts/1"}, "SSH"),
        ({**_DESKTOP, "SSH_CLIENT": "10.0.0.1 1 22"}, "SSH"),
        ({**_DESKTOP, "container": "podman"}, "container"),
        ({**_DESKTOP, "CODESPACES": "true"}, "container"),
        ({**_DESKTOP, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "container"),
        ({}, "no graphical display"),
        ({**_DESKTOP, "BROWSER": "w3m"}, "w3m"),
        ({**_DESKTOP, "BROWSER": "/usr/bin/lynx -accept_all_cookies %s"}, "lynx"),
    ],
)
def test_where_none_can_open_the_paste_is_offered_at_once(environ: dict[str, str], reason: str) -> None:
    found = chances(environ)

    assert (found.may_open, found.offers_paste) == (False, True)
    assert reason in found.reason


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_ssh_counts_on_every_platform(platform: str) -> None:
    assert not chances({"SSH_CONNECTION": "x"}, platform).may_open


@pytest.mark.parametrize("file", ["/.dockerenv", "/run/.containerenv"])
def test_a_container_is_known_by_its_file(file: str) -> None:
    assert chances(_DESKTOP, file=file).reason == "this is a container"


def test_without_any_program_to_open_pages_there_is_no_browser() -> None:
    assert chances(_DESKTOP, programs=("lynx",)) == BrowserChances(False, True, "no browser was found")


def test_a_browser_that_was_chosen_is_used_even_over_ssh_and_the_paste_is_offered_too() -> None:
    environ = {"SSH_CONNECTION": "x", "BROWSER": "/home/ada/.editor/helpers/browser.sh"}

    assert chances(environ) == BrowserChances(True, True, "this is a remote session (SSH)")


def test_one_graphical_browser_among_several_is_enough() -> None:
    assert chances({**_DESKTOP, "BROWSER": "lynx:firefox"}).may_open


def test_wsl_opens_the_browser_of_windows_and_offers_the_paste() -> None:
    assert chances({"WSL_DISTRO_NAME": "Debian"}, programs=("wslview",)) == BrowserChances(True, True)
    assert not chances({"WSL_DISTRO_NAME": "Debian"}, programs=()).may_open


@given(
    st.sampled_from(sorted(CONSOLE_BROWSERS)), st.sampled_from(["", "/usr/bin/"]), st.sampled_from(["", " -x %s"])
)
def test_console_browsers_are_known_by_any_path_and_argument(name: str, folder: str, arguments: str) -> None:
    assert is_console_browser(f"{folder}{name}{arguments}")
    assert not is_console_browser(f"{folder}my-{name}{arguments}")
