"""``ideas-pipeline fit``: work out the contract from the live API and from files that describe it.

Reads only. What is inferred goes through one type, ``Inferred``, with its reason. Values of samples stay in here: the
contract file and the messages have names, kinds and counts.
"""
