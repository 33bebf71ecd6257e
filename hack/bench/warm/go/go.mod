module example.invalid/bench-warm

go 1.26
