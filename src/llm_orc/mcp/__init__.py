"""A client of the Model Context Protocol: of servers that offer tools, as child processes or over HTTP."""
