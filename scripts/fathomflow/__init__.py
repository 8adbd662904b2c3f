"""Fathomflow's library: small modules of pure functions, one subject each."""
