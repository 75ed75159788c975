"""OpenTelemetry: spans of what is done, for sampled traces; while it is off, nothing of its SDK is loaded."""
