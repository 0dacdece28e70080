package main

// random draws the same numbers as ../../harness/src/random.rs: SplitMix64.
type random uint64

func newRandom(sequence int) random {
	seeds := random(sequence)
	return random(seeds.next())
}

func (r *random) below(bound uint64) uint64 {
	return r.next() % bound
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	mixed := uint64(*r)
	mixed = (mixed ^ mixed>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return mixed ^ mixed>>31
}
