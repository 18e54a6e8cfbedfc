package breaker

// Add gives every name a closed breaker unless it has one: new routes bring new models.
func (s *Set) Add(names ...string) {
	for _, n := range names {
		s.get(n)
	}
}
