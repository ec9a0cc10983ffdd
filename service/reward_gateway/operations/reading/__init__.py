"""One reading of a response for all operations over texts: its reasoning, its final text, and whose words count."""
