module busbar

go 1.24
