"""Calls of tools: read from a response in the forms that models write them, and compared with those that are right."""
