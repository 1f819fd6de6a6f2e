"""The ways to get a credential, one module for each. They ask a person through `Ask`, and print nothing."""
