module {{name}}

go 1.24

require busbar v0.1.0

replace busbar => ./busbar/go
