"""The official CLIs of one run: their states and their processes, none of which outlives it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self

from llm_orc.catalog.load import load
from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.official_cli.process_pool import ProcessPool
from llm_orc.providers.official_cli.slots import LoginSingleFlight, Slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.providers.base import ModelInterface
    from llm_orc.providers.official_cli.model import OfficialCliModel
    from llm_orc.providers.official_cli.program import OfficialCli
    from llm_orc.providers.official_cli.state import CliState

    Look = Callable[[OfficialCli, Mapping[str, str]], Awaitable[CliState]]

MAX_LIVE = 8


def driver_of(row: OfficialCliRow) -> OfficialCli:
    """Return how the program of a row is called and read."""
    driver: OfficialCli = load(row.driver)(row)
    return driver


class OfficialClis:
    """On exit, it ends every process that it started, and removes their directories."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        max_live: int = MAX_LIVE,
        max_starting: int | None = None,
        network: NetworkSettings | None = None,
        rows: Mapping[str, OfficialCliRow] = OFFICIAL_CLIS,
    ) -> None:
        """`max_starting` None: one per core. `network`: the longest silence and the largest output."""
        self._environ, self._rows = environ, rows
        self._network = network or NetworkSettings()
        self._slots = Slots(max_live, max_starting or os.cpu_count() or 2)
        self._looks: dict[str, asyncio.Task[CliState]] = {}
        self._first: dict[tuple[str | None, ...], LoginSingleFlight] = {}
        self._pools: list[ProcessPool] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)
        for pool in self._pools:
            await pool.close()

    async def look(self, name: str) -> CliState:
        """Return the state of the CLI `name`, which is examined once. Never raises: see `CliState.problem`."""
        if name not in self._looks:
            program = driver_of(self._rows[name])
            look: Look = load(program.look)
            self._looks[name] = asyncio.ensure_future(look(program, self._environ))
        return await asyncio.shield(self._looks[name])

    def model(
        self,
        state: CliState,
        model: str | None,
        *,
        provider: str,
        base_url: str | None = None,
        max_retries: int = 4,
        stream: bool = False,
    ) -> ModelInterface:
        """Return the model. Only `base_url` sends the program's requests to another address than its vendor's."""
        program = driver_of(self._rows[state.name])
        first = self._first.setdefault((state.name, base_url, model), LoginSingleFlight())
        pool = ProcessPool(
            program,
            state,
            base_url,
            environ=self._environ,
            slots=self._slots,
            first=first,
            network=self._network,
        )
        self._pools.append(pool)
        kind: type[OfficialCliModel] = load(program.model_class)
        return kind(pool, model, provider=provider, max_retries=max_retries, stream=stream)
