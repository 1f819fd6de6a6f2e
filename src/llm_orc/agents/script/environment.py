"""The environment of a script: what any program needs, and what its agent says. No keys, no tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.processes.environment import basic_environment, is_needed

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_VALUE = 100_000  # bytes; Linux takes 128 KB at most for one variable
_NAMES_CODE = re.compile(
    r"PATH|HOME|SHELL|ENV|BASH_.*|SHELLOPTS|BASHOPTS|IFS|PS[0-9]|PROMPT_COMMAND|ZDOTDIR|FPATH|CDPATH|"
    r"LD_.*|DYLD_.*|GCONV_PATH|MALLOC_.*|GLIBC_.*|"
    r"PYTHON.*|NODE_.*|NPM_.*|DENO_.*|BUN_.*|PERL(5|_).*|PERLLIB|RUBY(LIB|OPT|SHELL|PATH)|GEM_.*|BUNDLE_.*|"
    r"LUA_.*|PHPRC|PHP_INI_.*|JAVA_.*|_JAVA_.*|JDK_.*|CLASSPATH|UV_.*|PIP_.*|VIRTUAL_ENV|CONDA_.*|"
    r"GIT_.*|SSH_.*|RSYNC_.*|EDITOR|VISUAL|.*PAGER|BROWSER|LESS|LESS(OPEN|CLOSE|KEY.*)|DOCKER_.*|KUBECONFIG|"
    r"(GNU)?MAKE(FLAGS|FILES)|MFLAGS|CC|CXX|CFLAGS|LDFLAGS|PKG_CONFIG.*|XDG_.*|TMPDIR|TMP|TEMP|TERMINFO.*|"
    r"COMSPEC|PATHEXT|SYSTEMROOT|PSMODULEPATH|AWKPATH|AWKLIBPATH|RIPGREP_CONFIG_PATH|"
    r"OPENSSL_.*|SSL_CERT_.*|CURL_.*|WGETRC|NETRC|REQUESTS_CA_BUNDLE|AWS_(CONFIG|SHARED_CREDENTIALS)_FILE|HGRCPATH|"
    r"R_.*|TCL.*|VIMINIT|EXINIT|INPUTRC|CARGO_.*|RUSTC.*|RUSTFLAGS|GO(FLAGS|PATH|ROOT|ENV|TOOLCHAIN)|CMAKE_.*|"
    r"ANSIBLE_.*|SUDO_ASKPASS|"
    r".*_PROXY|.*_COMMAND|.*_EXEC|.*_OPTIONS|.*_OPTS",
    re.IGNORECASE,
)
_PLAIN = frozenset({"LANG", "TZ", "TERM", "USER", "LOGNAME", "USERNAME"})  # needed by all, and read as text only


def names_code(variable: str) -> bool:
    """Return whether programs take code, options or files from this variable: no answer may come into it."""
    if _NAMES_CODE.fullmatch(variable) is not None:
        return True
    return is_needed(variable) and variable not in _PLAIN and not variable.startswith("LC_")


def script_environment(own: Mapping[str, str | None], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment; `own` are the variables of the agent, from `environ` where they have no value."""
    passed_on = {name: environ[name] for name, value in own.items() if value is None and name in environ}
    given = {name: value for name, value in own.items() if value is not None}
    # Where its input is a socket, as here, `bash` reads start-up files, unless it seems to be below a shell.
    return {"SHLVL": "1", **basic_environment(environ), **passed_on, **given}
