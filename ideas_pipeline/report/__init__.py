"""The community report: one HTML page with charts, made of the marts.

What is counted belongs to ``marts/``; here are only sections, texts and drawings. No person and no idea is named.
"""
