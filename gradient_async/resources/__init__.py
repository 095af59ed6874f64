"""One class for each noun of the API; each receives a pipeline, never the session."""
