"""Disclosure control: what may leave the house.

`gate` admits tables and columns, `control.protect` hides the cells of a product that would tell on somebody, attacks what
is left and refuses what does not hold. Cells go through `cells` → `sensitivity` → `ledger` → `suppress` → `attack`.
"""
