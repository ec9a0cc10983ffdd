"""Audits: what can be said of the rewards, the judges and the preferences themselves."""
