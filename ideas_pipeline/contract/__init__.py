"""The contract: what one Ideas API looks like, as data that an operator can change, and how its YAML is loaded.

It knows neither HTTP nor the warehouse's tables; ``sync/contract_fit.py`` checks that contract and tables fit together.
"""
