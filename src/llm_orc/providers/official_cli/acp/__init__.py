"""Agents that speak the Agent Client Protocol, version 1, as models: https://agentclientprotocol.com."""
