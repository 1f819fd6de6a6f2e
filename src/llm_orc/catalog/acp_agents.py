"""Agents that speak the Agent Client Protocol. Their vendors document that other programs may start them so."""

from __future__ import annotations

from functools import partial

from llm_orc.catalog.rows import Billing, OfficialCliRow

_agent = partial(
    OfficialCliRow,
    driver="llm_orc.providers.official_cli.acp.cli:AcpAgent",
    dialect="openai-chat",
    proves_login=False,
)

ACP_ROWS: tuple[OfficialCliRow, ...] = (
    # https://cursor.com/docs/cli/acp.md: "for building custom clients and integrations".
    _agent(
        name="cursor-cli",
        title="Cursor's own agent",
        product="Cursor",
        command="agent",
        origin="https://api2.cursor.sh",
        install_hint="See https://cursor.com/cli, then: agent login",
        login_command=("agent", "login"),
        logout_command=("agent", "logout"),
        arguments=("acp",),
        billing=Billing.PLAN_CREDITS,
    ),
    # The next three call the provider that their user has set up in them, mostly with a key.
    # https://opencode.ai/docs/cli/acp.md
    _agent(
        name="opencode-cli",
        title="OpenCode's own agent",
        product="OpenCode",
        command="opencode",
        origin="",
        install_hint="npm install -g opencode-ai, then: opencode auth login",
        login_command=("opencode", "auth", "login"),
        logout_command=("opencode", "auth", "logout"),
        arguments=("acp",),
        billing=Billing.METERED,
    ),
    # https://block.github.io/goose/docs/guides/acp-clients
    _agent(
        name="goose-cli",
        title="Goose's own agent",
        product="Goose",
        command="goose",
        origin="",
        install_hint="See https://block.github.io/goose, then: goose configure",
        login_command=("goose", "configure"),
        logout_command=(),
        arguments=("acp",),
        billing=Billing.METERED,
    ),
    # https://github.com/QwenLM/qwen-code
    _agent(
        name="qwen-cli",
        title="Qwen Code's own agent",
        product="Qwen Code",
        command="qwen",
        origin="",
        install_hint="npm install -g @qwen-code/qwen-code, then: qwen",
        login_command=("qwen",),
        logout_command=(),
        arguments=("--acp",),
        billing=Billing.METERED,
    ),
)


def described(name: str, command: tuple[str, ...], billing: Billing = Billing.PLAN_CREDITS) -> OfficialCliRow:
    """Return the row of an agent that only the user's configuration describes, by its `command`.

    What pays for it is not known. A plan with credits is assumed, which needs consent as a bill does.
    """
    program, *arguments = command
    return _agent(
        name=name,
        title=f"The agent `{name}` of your configuration",
        product=name,
        command=program,
        origin="",
        install_hint=f"Install it, or correct `providers.{name}.acp_command`.",
        login_command=(),
        logout_command=(),
        arguments=tuple(arguments),
        billing=billing,
    )
