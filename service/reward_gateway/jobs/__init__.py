"""Jobs: scoring whose answer is not waited for."""
