"""The command line: one thin file per command. Heavy imports stay inside the commands."""
