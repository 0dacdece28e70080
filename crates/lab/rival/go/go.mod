module lisle-lab/rival

go 1.25
