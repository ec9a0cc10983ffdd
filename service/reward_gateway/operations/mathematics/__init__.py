"""Mathematical answers: found in a response, written in one notation, and decided where that is cheap."""
