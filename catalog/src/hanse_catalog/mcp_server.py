"""The catalog for assistants, by the Model Context Protocol: find a product, read what it promises, query it.

An assistant sees and queries what its token allows, without one what is public. Its queries run in the same
confined workers and stand in the same audit as those of people.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import orjson
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from hanse.errors import HanseError

from . import present
from .access import Reader
from .catalog import Catalog
from .sql.service import Query

MAX_ROWS = 500
_INSTRUCTIONS = (
    "Data products of a company, each owned by a domain. Search first, describe a product before you use it, "
    "then query with one DuckDB SELECT over <domain>.<product>. Say which snapshot an answer is from, and pass "
    "on when a product is late or at risk."
)


def mcp_server(catalog: Catalog, reader: Reader) -> MCPServer[None]:
    """The server over a catalog, for one reader."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[None]) -> AsyncGenerator[None]:
        await catalog.queries.start()
        catalog.audit.start()
        try:
            yield
        finally:
            await catalog.queries.close()
            catalog.audit.close()

    server: MCPServer[None] = MCPServer(
        "hanse", instructions=_INSTRUCTIONS, lifespan=lifespan, log_level="ERROR"
    )

    @server.tool(description="Find products, fields, events and terms; typing errors are forgiven.")
    def search(text: Annotated[str, Field(max_length=200)]) -> dict[str, Any]:
        found = catalog.search(text, reader, 20)
        hits = [{"kind": h.kind, "name": h.title, "in": h.target, "text": h.text} for h in found.hits]
        return {"corrected": found.corrected, "hits": hits}

    @server.tool(description="What a product is for, its columns, promises, state, owner and lineage.")
    def describe(
        product: Annotated[str, Field(max_length=200, description="<domain>.<product>")],
    ) -> dict[str, Any]:
        domain, _, name = product.partition(".")
        with _told():
            whole = present.product(catalog, catalog.product(domain, name, reader), reader, recent=3)
        return orjson.loads(orjson.dumps({k: v for k, v in whole.items() if k != "links"}, default=str))

    @server.tool(
        description="Run one SELECT (DuckDB SQL) over products and get rows with the snapshots read."
    )
    async def query(
        sql: Annotated[str, Field(max_length=70_000)],
        as_of: Annotated[str | None, Field(max_length=64, description="ISO 8601 moment or snapshot")] = None,
        limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 100,
    ) -> dict[str, Any]:
        with _told():
            answer = await catalog.ask(Query(sql, {}, as_of, "json", limit), reader)
            return orjson.loads(await answer.read())

    return server


@contextmanager
def _told() -> Generator[None]:
    """Turns Hanse's errors into what an assistant is told: what, expected, got and the way out."""
    try:
        yield
    except HanseError as error:
        raise ToolError(str(error)) from error
