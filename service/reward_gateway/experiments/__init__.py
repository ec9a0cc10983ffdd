"""Two versions of a model compared on live traffic, after the answer and without changing it."""
