"""The doubles of the tests: servers on loopback, programs, keyrings and clocks that stand for what is outside."""
