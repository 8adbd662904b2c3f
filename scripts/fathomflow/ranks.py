"""The seven ranks, apart from what computes with them, so that the driver need not load pandas to plan."""

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
