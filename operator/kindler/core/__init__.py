"""What is right, given these facts: decisions as pure functions of frozen values, with `now` as an argument.

Lives here: wanted, plan, status, admission, placement, scaling, addresses, pod verdicts. Must not live here: I/O, await, clocks, chance, logging, any client.
Decisions do not import each other; they share `facts`.
"""
