"""``ideas-pipeline check``: compare the live API with the contract, and suggest contract lines that fix differences.

Reads only, and reports names, kinds and counts, never values. What the API sends is not loaded or stored here.
"""
