"""Token commands as processes: how they are run, and how many times."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_orc.auth.tokens.command_keeper import UNTOLD_S, CommandAuthoriser, CommandKeeper, TokenCommands
from llm_orc.auth.tokens.command_run import run_command
from llm_orc.errors import AccessRefused, CredentialRefused, TokenCommandFailed
from tests.fakes.token_programs import NEEDS_SH, TokenProgram, token_program

pytestmark = NEEDS_SH

ORIGIN = "https://models.example"
REFUSED = CredentialRefused("no", status=401)


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}


@pytest.fixture
async def commands(environ: dict[str, str], clock: Clock) -> AsyncIterator[TokenCommands]:
    commands = TokenCommands(environ, clock)
    yield commands
    await commands.close()


def keeper(commands: TokenCommands, program: TokenProgram) -> CommandKeeper:
    return commands.keeper((str(program.path),), ORIGIN)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


async def is_gone(pid_file: Path) -> bool:
    pid = int(pid_file.read_text())  # noqa: ASYNC240 - tiny
    for _ in range(500):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


# One run


async def test_arguments_reach_the_program_as_they_are(tmp_path: Path, environ: dict[str, str]) -> None:
    program = token_program(tmp_path, 'printf %s "$2"')

    written = await run_command((str(program.path), "--flag", f"$(touch {tmp_path}/made);`x`*"), environ)

    assert written.decode() == f"$(touch {tmp_path}/made);`x`*"
    assert not (tmp_path / "made").exists()


async def test_it_runs_at_home_with_nothing_to_read_and_without_keys_of_models(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    program = token_program(tmp_path, 'echo "$PWD|$AWS_PROFILE|$OPENAI_API_KEY|$(cat)"')
    around = {**environ, "AWS_PROFILE": "work", "OPENAI_API_KEY": "canary"}

    written = await run_command((str(program.path),), around)

    assert written.decode().strip() == f"{environ['HOME']}|work||"


@pytest.mark.parametrize("name", ["give-token", "~/bin/give-token"])
async def test_a_program_is_found_on_the_path_or_at_home(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    token_program(tmp_path / "home" / "bin", "echo found")

    written = await run_command((name,), {**environ, "PATH": f"{tmp_path}/home/bin:{environ['PATH']}"})

    assert written == b"found\n"


async def test_the_working_directory_is_never_searched(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = token_program(tmp_path, "echo planted")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(TokenCommandFailed, match="there is no program"):
        await run_command(("give-token",), {**environ, "PATH": f".:{environ['PATH']}"})

    assert planted.runs == 0


async def test_a_failure_shows_the_exit_code_and_what_it_says_with_secrets_masked(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    body = 'echo canary-of-half-a-token; echo "no: canary-of-half-a-token, $VAULT_TOKEN" >&2; exit 7'
    program = token_program(tmp_path, body)

    with pytest.raises(TokenCommandFailed) as failed:
        await run_command((str(program.path),), {**environ, "VAULT_TOKEN": "canary-of-the-vault"})

    assert "failed with exit code 7: no: " in failed.value.message
    assert "canary" not in failed.value.message
    assert str(program.path) in (failed.value.hint or "")


async def test_it_ends_at_its_time_limit_with_all_that_it_started(tmp_path: Path, environ: dict[str, str]) -> None:
    program = token_program(tmp_path, f"sleep 60 & echo $! > '{tmp_path}/pid'; wait")

    with pytest.raises(TokenCommandFailed, match="did not end within"):
        await run_command((str(program.path),), environ, limit_s=0.5)

    assert await is_gone(tmp_path / "pid")


async def test_endless_output_ends_it(tmp_path: Path, environ: dict[str, str]) -> None:
    program = token_program(tmp_path, f"echo $$ > '{tmp_path}/pid'; exec yes canary-canary-canary")

    with pytest.raises(TokenCommandFailed, match="wrote more than 64 KB"):
        await run_command((str(program.path),), environ)

    assert await is_gone(tmp_path / "pid")


async def test_a_daemon_that_holds_its_pipes_delays_nothing_for_long(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    program = token_program(tmp_path, f"sleep 60 & echo $! > '{tmp_path}/pid'; echo token")
    began = time.monotonic()

    written = await run_command((str(program.path),), environ)

    assert written == b"token\n"
    assert time.monotonic() - began < 20
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


async def test_a_cancelled_run_leaves_no_process(tmp_path: Path, environ: dict[str, str]) -> None:
    program = token_program(
        tmp_path, f"sleep 60 & echo $! > '{tmp_path}/pid.new'; mv '{tmp_path}/pid.new' '{tmp_path}/pid'; wait"
    )
    running = asyncio.create_task(run_command((str(program.path),), environ))
    while not (tmp_path / "pid").exists():
        await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert await is_gone(tmp_path / "pid")


@pytest.mark.skipif(not Path("/usr/bin/setpriv").exists(), reason="only Linux can tie a child to its parent")
async def test_it_ends_when_we_are_killed(tmp_path: Path, environ: dict[str, str]) -> None:
    program = token_program(
        tmp_path, f"echo $$ > '{tmp_path}/pid.new'; mv '{tmp_path}/pid.new' '{tmp_path}/pid'; exec sleep 60"
    )
    code = (
        "import asyncio, os, sys; from llm_orc.auth.tokens.command_run import run_command;"
        "asyncio.run(run_command((sys.argv[1],), dict(os.environ)))"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - it is to be killed, not waited for
        [sys.executable, "-c", code, str(program.path)], env=environ
    ) as ours:
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.01)
        ours.kill()

    assert await is_gone(tmp_path / "pid")


# Many callers


async def test_all_who_wait_share_one_run(tmp_path: Path, commands: TokenCommands) -> None:
    program = token_program(tmp_path, "sleep 0.2; echo token-$n")

    tokens = await asyncio.gather(*(keeper(commands, program).current() for _ in range(50)))

    assert ({token.reveal() for token in tokens}, program.runs) == ({"token-1"}, 1)


async def test_a_caller_who_leaves_takes_nothing_from_the_others(tmp_path: Path, commands: TokenCommands) -> None:
    program = token_program(tmp_path, "sleep 0.3; echo token-$n")
    first, second = (asyncio.create_task(keeper(commands, program).current()) for _ in range(2))
    await asyncio.sleep(0.1)

    first.cancel()

    assert ((await second).reveal(), program.runs) == ("token-1", 1)


@pytest.mark.parametrize(
    ("body", "lasts_s"),
    [
        ("echo token-$n", UNTOLD_S),
        ('echo "{\\"token\\": \\"token-$n\\", \\"expires_in\\": 3600}"', 3540.0),
        ('echo "{\\"token\\": \\"token-$n\\", \\"expires_in\\": 100}"', 90.0),
    ],
)
async def test_a_token_is_kept_until_shortly_before_its_end(
    tmp_path: Path, commands: TokenCommands, clock: Clock, body: str, lasts_s: float
) -> None:
    program = token_program(tmp_path, body)
    began = clock.now

    seen = []
    for after in (0.0, lasts_s - 1, lasts_s + 1):
        clock.now = began + after
        seen.append((await keeper(commands, program).current()).reveal())

    assert seen == ["token-1", "token-1", "token-2"]


async def test_a_refused_token_is_replaced_once_for_all_who_sent_it(
    tmp_path: Path, commands: TokenCommands
) -> None:
    program = token_program(tmp_path, "sleep 0.1; echo token-$n")
    authoriser = CommandAuthoriser(keeper(commands, program))
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)

    renewed = await asyncio.gather(*(authoriser.renew(REFUSED, headers) for _ in range(20)))
    again: dict[str, str] = {}
    await authoriser.authorise(again)

    assert renewed == [True] * 20
    assert (headers, again) == ({"Authorization": "Bearer token-1"}, {"Authorization": "Bearer token-2"})
    assert program.runs == 2


async def test_the_same_token_again_is_not_sent_again_and_others_soon_learn_it(
    tmp_path: Path, commands: TokenCommands, clock: Clock
) -> None:
    program = token_program(tmp_path, "echo token-of-old")
    authoriser = CommandAuthoriser(keeper(commands, program))
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)

    renewed = await authoriser.renew(REFUSED, headers)
    await authoriser.remember(REFUSED, headers)
    with pytest.raises(CredentialRefused):
        await authoriser.authorise({})
    runs = program.runs
    clock.now += 60
    await authoriser.authorise({})

    assert (renewed, runs, program.runs) == (False, 2, 3)


@pytest.mark.parametrize("refused", [CredentialRefused("no", status=403), AccessRefused("no", signature="x")])
async def test_what_a_new_token_would_not_change_runs_nothing(
    tmp_path: Path, commands: TokenCommands, refused: CredentialRefused | AccessRefused
) -> None:
    program = token_program(tmp_path, "echo token-$n")
    authoriser = CommandAuthoriser(keeper(commands, program))
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)

    assert await authoriser.renew(refused, headers) is False
    assert program.runs == 1


async def test_a_failure_is_not_repeated_for_each_caller(
    tmp_path: Path, commands: TokenCommands, clock: Clock
) -> None:
    program = token_program(tmp_path, "test $n -gt 1 && echo token-$n")

    for _ in range(5):
        with pytest.raises(TokenCommandFailed):
            await keeper(commands, program).current()
    runs = program.runs
    clock.now += 60

    assert (await keeper(commands, program).current()).reveal() == "token-2"
    assert (runs, program.runs) == (1, 2)


async def test_a_token_for_one_server_is_not_that_of_another(tmp_path: Path, commands: TokenCommands) -> None:
    program = token_program(tmp_path, "echo token-$n")
    argv = (str(program.path),)

    here, there = commands.keeper(argv, ORIGIN), commands.keeper(argv, "https://other.example")

    assert (await here.current()).reveal() != (await there.current()).reveal()
    assert (CommandAuthoriser(here).origin, CommandAuthoriser(there).origin) == (ORIGIN, "https://other.example")


async def test_closing_ends_what_is_running(tmp_path: Path, environ: dict[str, str], clock: Clock) -> None:
    program = token_program(
        tmp_path, f"echo $$ > '{tmp_path}/pid.new'; mv '{tmp_path}/pid.new' '{tmp_path}/pid'; exec sleep 60"
    )
    commands = TokenCommands(environ, clock)
    waiting = asyncio.create_task(keeper(commands, program).current())
    while not (tmp_path / "pid").exists():
        await asyncio.sleep(0.01)

    await commands.close()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert await is_gone(tmp_path / "pid")
