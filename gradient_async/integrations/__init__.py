"""Bridges to other libraries, each in a module of its own that needs the extra of the same name.

Contract: nothing here is imported unless it is asked for, and nothing of the library needs it.
"""
