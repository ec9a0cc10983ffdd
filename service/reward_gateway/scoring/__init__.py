"""Raw scores behind the cache, and the runtime that answers the effects operations ask for."""
