"""The name of the provider in traces and messages, the same in every integration.

Source: ``gen_ai.provider.name`` of OpenTelemetry's conventions for generative AI, whose names of a company's service
have this form.
"""

PROVIDER = "digitalocean.gradient"
