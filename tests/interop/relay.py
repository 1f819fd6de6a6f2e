"""What a judge starts as the client: it only hands the address to the tests, which have everything loaded.

Run as a program, without a library: `python -I -S relay.py PORT URL`. Its exit code is the client's.
"""

import json
import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as tests:
    told = {name: value for name, value in os.environ.items() if name.startswith("MCP_CONFORMANCE_")}
    tests.sendall(json.dumps({"url": sys.argv[2], **told}).encode() + b"\n")
    answer = tests.makefile(encoding="utf-8").readline()
    print(answer)
sys.exit(0 if answer.startswith("done") else 1)
