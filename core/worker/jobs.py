"""What the worker can do: one function per job kind."""

KINDS = {}
