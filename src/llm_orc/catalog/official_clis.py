"""The official CLIs: vendors' own programs, which their user has logged in."""

from __future__ import annotations

from llm_orc.catalog.rows import Billing, OfficialCliRow

OFFICIAL_CLI_ROWS: tuple[OfficialCliRow, ...] = (
    OfficialCliRow(
        name="claude-cli",
        title="Claude Code's own command",
        product="Claude Code",
        command="claude",
        driver="llm_orc.providers.official_cli.claude.cli:Claude",
        dialect="anthropic",
        origin="https://api.anthropic.com",
        install_hint="npm install -g @anthropic-ai/claude-code, then: claude auth login",
        login_command=("claude", "auth", "login"),
        logout_command=("claude", "auth", "logout"),
        variables=("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"),
        token_variable="CLAUDE_CODE_OAUTH_TOKEN",  # noqa: S106 - a name, no secret
        token_prefixes=("sk-ant-oat", "sk-ant-ort"),
        metered_sibling="anthropic-api",
        sibling_models="claude-",
        models=("sonnet", "opus", "haiku"),  # of its `--model`: the newest of each kind
        takes_files="anthropic",
    ),
    OfficialCliRow(
        name="codex-cli",
        title="OpenAI Codex' own command",
        product="Codex",
        command="codex",
        driver="llm_orc.providers.official_cli.codex.cli:Codex",
        dialect="openai-responses",
        origin="https://chatgpt.com",
        install_hint="npm install -g @openai/codex, then: codex login",
        login_command=("codex", "login"),
        logout_command=("codex", "logout"),
        variables=("CODEX_HOME",),
        metered_sibling="openai",
    ),
    # https://docs.github.com/en/copilot/how-tos/copilot-sdk: "available with all Copilot plans" (2026-11-27).
    OfficialCliRow(
        name="copilot-cli",
        title="GitHub Copilot's own command",
        product="GitHub Copilot",
        command="copilot",
        driver="llm_orc.providers.official_cli.copilot.cli:Copilot",
        dialect="openai-chat",
        origin="https://api.githubcopilot.com",
        install_hint="npm install -g @github/copilot, then: copilot login",
        login_command=("copilot", "login"),
        logout_command=(),  # only within the program: /logout
        variables=("COPILOT_HOME",),
        billing=Billing.PLAN_CREDITS,
    ),
)
