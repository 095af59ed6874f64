"""Sans-IO: every decision of the client, with time, randomness and bytes as arguments.

Nothing here opens a socket, reads a clock, draws a number or logs; a test holds it to that.
"""
