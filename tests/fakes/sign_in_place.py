"""A machine whose provider `sandbox` is in this very process, with a browser that is a program."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.cli.conftest import Shell

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

# Follows the redirects as a browser does, in the background as a browser does.
_BROWSER = f"""#!{sys.executable}
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=20).read()
"""


@dataclass
class SignInPlace:
    """`run` goes in a thread, because the provider answers on this one."""

    shell: Shell
    sandbox: Sandbox
    server: OAuthServer
    spoken: list[str] = field(default_factory=list)  # all that the program wrote

    async def run(self, *arguments: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(lambda: self.shell.run(*arguments, stdin=stdin))
        self.spoken += [done.stdout, done.stderr]
        return done

    def configure(self, more: str = "") -> None:
        """Point the provider here; `more` goes under its `oauth`, indented by six spaces."""
        self.shell.config.parent.mkdir(parents=True, exist_ok=True)
        self.shell.config.write_text(
            "providers:\n  sandbox:\n"
            f"    base_url: {self.sandbox.base_url('openai-chat')}\n"
            f"    oauth:\n      issuer: {self.server.issuer}\n{more}",
            encoding="utf-8",
        )

    def configure_plan(self, name: str = "sandbox-plan", more: str = "") -> None:
        """Point a provider here where each account gets a client of its own; `more` goes under its `oauth`."""
        self.shell.config.parent.mkdir(parents=True, exist_ok=True)
        self.shell.config.write_text(
            f"providers:\n  {name}:\n"
            f"    base_url: {self.sandbox.origin}/v1\n"
            f"    oauth:\n      issuer: {self.server.issuer}\n      resource: {self.sandbox.origin}/v1\n{more}",
            encoding="utf-8",
        )

    def approve_sign_ins(self) -> None:
        """Let `auth add` open a browser that agrees to everything."""
        path = self.shell.home / "browser"
        path.write_text(_BROWSER, encoding="utf-8")
        path.chmod(0o700)
        self.shell.environ["BROWSER"] = str(path)

    def files_with(self, secret: str) -> list[str]:
        """Every file of the home and the project that holds the text."""
        return [
            str(path)
            for root in (self.shell.home, self.shell.cwd)
            for path in root.rglob("*")
            if path.is_file() and secret.encode() in path.read_bytes()
        ]


@asynccontextmanager
async def sign_in_place(
    shell: Shell, server: OAuthServer, *, require_token: bool = True, accept_keys: tuple[str, ...] | None = None
) -> AsyncIterator[SignInPlace]:
    async with Sandbox(oauth=server, require_token=require_token, accept_keys=accept_keys) as sandbox:
        place = SignInPlace(shell, sandbox, server)
        place.configure()
        yield place
