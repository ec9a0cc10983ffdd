"""From a request to a batch: request types, limits, options, messages, media. Every entry uses it."""
