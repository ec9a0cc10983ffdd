"""Judges: language models behind OpenAI-compatible servers, asked in conversations and answering in words."""
