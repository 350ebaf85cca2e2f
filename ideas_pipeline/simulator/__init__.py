"""A runnable stand-in for the Ideas API, with a made-up community and faults on demand, for tests, demo and benchmarks.

It shares nothing with the pipeline except the contract's types, so that a mistake in the client is not repeated here.
"""
