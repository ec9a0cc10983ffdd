"""Whether a response equals a reference as mathematics, decided in processes of their own."""
