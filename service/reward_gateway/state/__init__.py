"""What outlives a request and has a name: moments, references, archives, labels, cohorts. Lua as files."""
