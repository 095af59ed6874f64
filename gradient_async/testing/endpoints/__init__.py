"""One module for each endpoint that the emulator answers, and their request checks."""
