"""The commands of `llm-orc` by name, with where each is and what it does, and its options. Loads nothing."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One command of a group. The help of the group and completion show `summary`, and import no command."""

    name: str
    module: str  # within llm_orc.cli; the command is its attribute `command`
    summary: str
    section: str = "Commands"  # heading in the help of the group


class Option(NamedTuple):
    """One option of the program itself, as its help shows it."""

    usage: str
    help: str


ABOUT = "Describe an ensemble of LLM agents in YAML and run it with the access you have."
EXAMPLES = """\
llm-orc demo                            see it work
llm-orc ask "Which index helps here?"   ask one model
git diff | llm-orc invoke code-review   review a change
llm-orc invoke council --rehearse       try it, for free
"""
VERSION = Option("-V, --version", "Print the version and exit.")
DIRECTORY = Option("-C, --directory DIRECTORY", "Work as if started in this directory, e.g. `-C ~/panel`.")
DEBUG = Option("--debug", "Show a traceback with an error.")
NO_INPUT = Option("--no-input", "Never ask a question, as without a terminal.")
HELP = Option("-h, --help", "Show this message and exit.")

LINKS: tuple[tuple[str, str], ...] = ()  # what `[project.urls]` of pyproject.toml names: a title and an address

COMMANDS: tuple[Row, ...] = (
    Row("demo", "run.demo", "Watch a panel of agents at work, on the best access found.", "Run"),
    Row("invoke", "run.invoke", "Run an ensemble on a task.", "Run"),
    Row("ask", "run.ask", "Ask one model a question, without an ensemble.", "Run"),
    Row("compare", "run.compare", "Run an ensemble with several models, beside each other.", "Run"),
    Row("chat", "chat.chat", "Talk to an agent or a whole ensemble.", "Run"),
    Row("batch", "batch.group", "Run an ensemble over many inputs.", "Run"),
    Row("worker", "batch.worker", "Process the batches of a store, with other workers if it is shared.", "Run"),
    Row("serve", "serve.serve", "Serve ensembles to programs that speak OpenAI's protocols.", "Run"),
    Row("resume", "run.resume", "Resume a run that was stopped.", "Run"),
    Row("runs", "runs.group", "List, show, compare, fork and delete earlier runs.", "Look"),
    Row("workers", "batch.workers", "Show the workers of a store.", "Look"),
    Row("conversations", "conversations.group", "List, show, export, fork and delete conversations.", "Look"),
    Row("cache", "cache.group", "Show or clear the answers that agents with `cache` are given again.", "Look"),
    Row("check", "inspect.check", "Check ensembles and files; say what they would run.", "Look"),
    Row("explain", "inspect.explain", "Show which access each agent would use, who pays, and why.", "Look"),
    Row("config", "config.group", "Show and change settings, and say where each is set.", "Look"),
    Row("list-ensembles", "inspect.list_ensembles", "List the ensembles that can be invoked by name.", "Look"),
    Row("list-profiles", "inspect.list_profiles", "List the model profiles and where each was set.", "Look"),
    Row("status", "inspect.status", "Show access, billing, runs and storage on one screen.", "Look"),
    Row("doctor", "inspect.doctor", "Find problems, each with its fix.", "Look"),
    Row("library", "library.group", "List and show the bundled ensembles.", "Look"),
    Row("models", "models.group", "List the models that you have access to, with their prices.", "Look"),
    Row("mcp", "mcp.group", "List and try the MCP servers, which offer tools.", "Look"),
    Row("help", "inspect.help", "Show the help of a command or a group.", "Look"),
    Row("version", "inspect.version", "Print the version.", "Look"),
    Row("setup", "setup.setup", "Find access, test it, make it the default.", "Set up"),
    Row("new", "setup.new", "Create an ensemble of your own.", "Set up"),
    Row("schema", "setup.schema", "Print a JSON Schema, for editors and programs.", "Set up"),
    Row("auth", "auth.group", "Sign in, add API keys, and see which one a run would use.", "Set up"),
    Row("trust", "setup.trust", "Let a project's files choose what costs money, and where calls go.", "Set up"),
    Row("sandbox", "setup.sandbox", "Serve the sandbox: imitated providers with canned answers.", "Set up"),
    Row("completion", "setup.completion", "Print the completion script for a shell.", "Set up"),
)

EXIT_CODES = """\
Exit codes:
  0  all agents completed           5  the provider failed
  1  agents or the command failed   6  a run waits for a person's answer
  2  wrong usage or input         130  stopped by Ctrl-C
  3  wrong ensemble or settings   143  stopped by SIGTERM (SIGHUP: 129)
  4  access: log in, or allow it
"""
