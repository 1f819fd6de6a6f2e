"""The auth methods, one module for each. They ask a person through `Ask`, and print nothing."""
