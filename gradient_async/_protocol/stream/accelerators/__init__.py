"""Faster decoders of usual streams, and what adds their events to results; read `fast_decoder` first.

Each gives what a reference decoder of `_protocol.stream` gives, and a property test holds the two together.
"""
