package router

// turn is a candidate at its place in a walk, with those of its models that may be asked there.
type turn struct {
	Candidate
	models []string
}

// first is the model that a row names when none was chosen.
func (t turn) first() string {
	if all := t.all(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// plan orders the candidates of a route by its rule about paid models.
func (r *Router) plan(route Route) []turn {
	var turns, later []turn
	for _, c := range route.Candidates {
		if route.Paid != PaidDeny && route.Paid != PaidWhenFreeSpent {
			turns = append(turns, turn{c, c.all()})
			continue
		}
		free, paid := r.byPrice(c)
		if len(free) > 0 || route.Paid == PaidDeny { // without a free one: a place at which to say so
			turns = append(turns, turn{c, free})
		}
		if len(paid) > 0 && route.Paid == PaidWhenFreeSpent {
			later = append(later, turn{c, paid})
		}
	}
	return append(turns, later...)
}

// byPrice parts the models of a family. What nobody knows to be free is paid.
func (r *Router) byPrice(c Candidate) (free, paid []string) {
	for _, s := range c.Slugs {
		if r.costsNothing(c.Provider, s) {
			free = append(free, s)
		} else {
			paid = append(paid, s)
		}
	}
	return free, append(paid, c.Paid...)
}

func (r *Router) costsNothing(provider, slug string) bool {
	price, _, known := r.price(provider, slug)
	return known && free(price)
}
