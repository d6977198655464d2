"""Antawasi: the open warehouse of Peru's artisanal and small-scale copper value chain."""
