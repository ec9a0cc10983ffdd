"""What callers use: the samples that count against a tenant's budget of a day, and usage per API key and day."""
