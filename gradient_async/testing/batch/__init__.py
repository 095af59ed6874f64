"""The emulator's batch service: files, jobs, their lifecycle and result files."""
