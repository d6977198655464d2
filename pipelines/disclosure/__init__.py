"""Disclosure control: what may leave the house. Today the gate; suppression and its attacks join it here."""
