module example.invalid/coldserver

go 1.26
