"""Arguments that name ensembles, runs and the like, completed by the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.app.wiring import App


class _Name(click.ParamType[str]):
    """Completes from what the app knows. If that fails, completion only offers less."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from llm_orc.app.wiring import open_app
        from llm_orc.errors import LlmOrcError
        from llm_orc.settings.environment import ProcessEnvironment

        try:
            items = [*self.known(open_app(ProcessEnvironment.here()))]
        except LlmOrcError:
            items = []
        # The shell shows these unchanged.
        return [
            CompletionItem(item.value, type=item.type, help=one_line(item.help or "") or None)
            for item in items
            if item.value.startswith(incomplete) and one_line(item.value) == item.value
        ]

    def known(self, app: App) -> Iterable[CompletionItem]:
        raise NotImplementedError


class MethodName(click.ParamType[str]):
    """A way to get access: the choice among those that there are when it is read."""

    name = "method"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice().get_metavar(param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return self._choice().shell_complete(ctx, param, incomplete)

    @staticmethod
    def _choice() -> click.Choice[str]:
        from llm_orc.catalog.table import method_names

        return click.Choice(method_names())


class EnsembleName(_Name):
    name = "ensemble"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names, and YAML files."""
        from llm_orc.cli.shell.completion.paths import paths

        names = [] if "/" in incomplete else super().shell_complete(ctx, param, incomplete)
        return [*names, *paths(incomplete, (".yaml", ".yml"))]

    def known(self, app: App) -> Iterable[CompletionItem]:
        for entry in app.library.listing().entries:
            if entry.shadowed_by is None:
                yield CompletionItem(entry.name, help=entry.description)


class TargetName(EnsembleName):
    name = "partner"

    def known(self, app: App) -> Iterable[CompletionItem]:
        """Ensembles, then their agents, alone and as `ENSEMBLE:AGENT`, then profiles."""
        from llm_orc.errors import LlmOrcError

        yield from super().known(app)
        for entry in app.library.listing().entries:
            if entry.shadowed_by is None:
                try:
                    ensemble = app.library.find(entry.name, app.environment.cwd).ensemble
                except LlmOrcError:
                    continue
                for agent in ensemble.agents:
                    yield CompletionItem(f"{ensemble.name}:{agent.name}", help="one agent of it, alone")
        for profile in app.settings.profiles.values():
            yield CompletionItem(profile.name, help=f"profile: {profile.model or 'its default model'}")


class ModelName(_Name):
    name = "model"

    def known(self, app: App) -> Iterable[CompletionItem]:
        """Profiles, then providers, then the models of the profiles by their names alone."""
        from llm_orc.catalog.table import PROVIDERS
        from llm_orc.providers.lookup import find_provider

        for profile in app.settings.profiles.values():
            yield CompletionItem(profile.name, help=f"profile: {profile.model or 'its default model'}")
        for name in dict.fromkeys([*PROVIDERS, *app.settings.providers]):
            yield CompletionItem(name, help=find_provider(name, app.settings.providers).title)
        models = {p.model: p for p in app.settings.profiles.values() if p.model is not None and p.provider}
        for model, profile in models.items():
            yield CompletionItem(model, help=f"model of profile {profile.name}")


class ProfileName(_Name):
    name = "profile"

    def known(self, app: App) -> Iterable[CompletionItem]:
        for profile in app.settings.profiles.values():
            yield CompletionItem(profile.name, help=profile.model or "its default model")


class AgentModel(ModelName):
    """`AGENT=MODEL`; what is completed is the model."""

    name = "agent=model"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        agent, equals, model = incomplete.partition("=")
        found = super().shell_complete(ctx, param, model) if equals else []
        return [CompletionItem(f"{agent}={item.value}", help=item.help) for item in found]


class RunName(_Name):
    name = "run"

    def known(self, app: App) -> Iterable[CompletionItem]:
        from llm_orc.app.history.runs import list_runs

        yield CompletionItem("last", help="the newest run of an ensemble")
        for run in list_runs(app):
            yield CompletionItem(run.run_id, help=f"{run.ensemble}, {run.status}")


class AgentOfRun(_Name):
    """An agent of the run that the argument `run` of the same command names."""

    name = "agent"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        self._run = str(ctx.params.get("run") or "last")
        return super().shell_complete(ctx, param, incomplete)

    def known(self, app: App) -> Iterable[CompletionItem]:
        from llm_orc.app.history.runs import get_run

        for agent in get_run(app, self._run).result.agents:
            yield CompletionItem(agent.name, help=agent.status)


class TemplateName(_Name):
    name = "template"

    def known(self, app: App) -> Iterable[CompletionItem]:
        from llm_orc.app.projects.new_ensemble import templates

        for template in templates():
            yield CompletionItem(template.name, help=template.description)


class ConversationName(_Name):
    name = "conversation"

    def known(self, app: App) -> Iterable[CompletionItem]:
        from llm_orc.app.conversations.archive import list_conversations

        for conversation in list_conversations(app):
            yield CompletionItem(conversation.name, help=f"{conversation.ensemble}, {conversation.turns} turns")


class ProviderName(_Name):
    name = "provider"

    def known(self, app: App) -> Iterable[CompletionItem]:
        from llm_orc.catalog.table import PROVIDERS
        from llm_orc.providers.lookup import find_provider

        for name in dict.fromkeys([*PROVIDERS, *app.settings.providers]):
            yield CompletionItem(name, help=find_provider(name, app.settings.providers).title)


class McpServerName(_Name):
    name = "server"

    def known(self, app: App) -> Iterable[CompletionItem]:
        for server in app.settings.mcp_servers.values():
            yield CompletionItem(server.name, help=server.description or server.url or " ".join(server.command))


class SettingName(_Name):
    name = "setting"

    def known(self, app: App) -> Iterable[CompletionItem]:
        """The settings that have a row, then those of each profile, provider and server that has a setting."""
        from llm_orc.settings.fields import SECTIONS, plain_fields

        settings = app.settings
        for path, row in plain_fields():
            yield CompletionItem(".".join(path), help=row.description)
        named = {key: str(settings.origins[key]) for key in settings.written.keys() - settings.defaults.keys()}
        for section, names in (
            ("model_profiles", settings.profiles),
            ("providers", settings.providers),
            ("mcp_servers", settings.mcp_servers),
            ("tools", settings.tools),
        ):
            for name in names:
                for key, row in SECTIONS[section].fields.items():
                    if not row.fields and not row.is_open:
                        named.setdefault(f"{section}.{name}.{key}", row.description)
        for key in sorted(named):
            yield CompletionItem(key, help=named[key])


class BatchName(_Name):
    name = "batch"

    def known(self, app: App) -> Iterable[CompletionItem]:
        """The batches of the store that the settings name, newest first."""
        if not app.settings.batch.store and not app.paths.batches_database.exists():
            return
        from llm_orc.app.batches.admin import open_batches

        yield CompletionItem("last", help="the newest batch")
        with open_batches(app, None) as store:
            for batch in store.batches.batches() if store else ():
                yield CompletionItem(batch.batch_id, help=f"{batch.ensemble}, {batch.state}")
