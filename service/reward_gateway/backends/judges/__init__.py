"""Judges: language models behind OpenAI-compatible servers, which answer a conversation with text."""
