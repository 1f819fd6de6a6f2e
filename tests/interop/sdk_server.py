"""A server made with the official Python SDK, as a program: on standard input and output, or at a port."""

import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("sdk", version="1.2", instructions="Be kind")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers"""
    return a + b


@server.tool()
async def slow(context: Context) -> str:
    """Say how far it is"""
    for step in range(3):
        await context.report_progress(step, 3, f"step {step}")
    return "done"


@server.tool()
def bad() -> str:
    """Fail"""
    raise ValueError("no way")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
