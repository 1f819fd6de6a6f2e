"""Start the program many times at the price of one: a process that has imported it forks a child for each command.

A child is a process like any other, with its own descriptors, environment, directory, signals and exit code; only
the imports are not its own. Tests of the start itself start a new process (`tests/test_workshop.py`).
"""
