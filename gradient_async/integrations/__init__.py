"""Adapters for other libraries, each in a module of its own that needs the extra of the same name.

Contract: an adapter is loaded only by the program that imports it; no other part of the package does.
"""
