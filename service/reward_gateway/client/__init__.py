"""The typed client and the adapters that trainers import by dotted name."""
