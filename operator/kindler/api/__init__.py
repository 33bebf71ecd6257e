"""The API that users see: the three kinds with spec and status, names, conditions, routes, settings, CRD generation.

Belongs here: frozen values and schemas. Does not belong here: I/O, clocks, decisions, imports of any other package of
Kindler.
"""
