"""What a user says and what we answer: the three kinds, their names, conditions, routes, settings, and the CRD generator.

Lives here: frozen values and schemas. Must not live here: I/O, clocks, decisions, any import of another room.
"""
