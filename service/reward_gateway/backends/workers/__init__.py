"""Processes that do what may take long: bounded in number, time and memory, ended when they overrun, and replaced."""
