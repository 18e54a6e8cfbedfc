package forecast

import (
	"math"
	"slices"
)

// Backtest says how wrong the methods would have been: each was asked at many days of the past for the sum of the days
// that followed, knowing only what came before.
type Backtest struct {
	Origins int                // how often each was asked
	Days    int                // how many days each sum was of
	Error   float64            // the chosen method's mean error, as a share of the sum
	Errors  map[Method]float64 // every method's
}

// The shape of a back-test.
const (
	maxTested  = 180 // days of history that are gone over
	maxOrigins = 60
	// betterBy is how much less wrong a method must be than the weekday mean to take its place: the few sums of a history
	// overlap, and the plainest method is wrong by least when nothing changes.
	betterBy = 0.8
)

// choice is a method with what its back-test says of it.
type choice struct {
	method   Method
	expected fitted
	test     Backtest
	bands    bands
}

// choose tests the methods at the end of a history. With too little to compare, it is the weekday mean.
func choose(h []float64, horizon int) choice {
	h = h[max(len(h)-maxTested, 0):]
	train, methods := MinWeekday, map[Method]func([]float64) fitted{WeekdayMean: weekdayMean, DampedETS: dampedETS, WeekdayLine: weekdayLine}
	if len(h) < MinChoice {
		train, methods = 7, map[Method]func([]float64) fitted{WeekdayMean: weekdayMean}
	}
	// At least half of what is left is origins, so that no single sum decides.
	days := max(min(horizon, (len(h)-train)/2), 1)
	tests := map[Method]*tested{}
	for m, fit := range methods {
		tests[m] = test(h, fit, train, days)
	}
	best := WeekdayMean
	for _, m := range []Method{DampedETS, WeekdayLine} {
		if t := tests[m]; t != nil && t.wrong() < tests[WeekdayMean].wrong()*betterBy && t.wrong() < tests[best].wrong() {
			best = m
		}
	}
	t := tests[best]
	c := choice{method: best, expected: methods[best](h), bands: t.bands()}
	c.test = Backtest{Origins: t.origins, Days: days, Error: t.wrong(), Errors: map[Method]float64{}}
	for m, t := range tests {
		c.test.Errors[m] = t.wrong()
	}
	return c
}

// tested is what a back-test found out about one method.
type tested struct {
	origins, days int
	blocks        float64     // sums that do not overlap
	off, of       float64     // the absolute errors of the sums, and the sums
	squares       float64     // of the errors of the sums
	weeks         [][]float64 // the absolute errors of single days, by the week ahead in which they lay
}

func test(h []float64, fit func([]float64) fitted, train, days int) *tested {
	t := &tested{days: days, blocks: float64(len(h)-train) / float64(days), weeks: make([][]float64, (days+6)/7)}
	last := len(h) - days
	step := max((last-train)/maxOrigins+1, 1)
	for at := last; at >= train; at -= step { // the newest origin is always among them
		t.add(fit(h[:at]), h[at:at+days])
	}
	return t
}

func (t *tested) add(expected fitted, came []float64) {
	var off, sum float64
	for d, y := range came {
		e := y - max(expected(d), 0)
		off, sum = off+e, sum+y
		t.weeks[d/7] = append(t.weeks[d/7], math.Abs(e))
	}
	t.origins++
	t.off, t.of, t.squares = t.off+math.Abs(off), t.of+math.Abs(sum), t.squares+off*off
}

// wrong is the mean error of a sum as a share of it.
func (t *tested) wrong() float64 {
	if t.of == 0 {
		return 0
	}
	return t.off / t.of
}

// bands takes the band of a sum from the sums themselves, as if they were normal: they are few. Sums of more days than
// could be tested err in proportion to their days, and those of fewer too: what makes one day too dear makes its
// neighbour too dear. Of single days there are enough to count how far off four in five of them were, but they too come
// from few stretches of time.
func (t *tested) bands() bands {
	few := student80(t.blocks)
	sum := math.Sqrt(t.squares/float64(t.origins)) * few / float64(t.days)
	day := make([]float64, len(t.weeks))
	for w, off := range t.weeks {
		slices.Sort(off)
		day[w] = off[len(off)*4/5] * few / z80
		if w > 0 { // what lies further off is not known better
			day[w] = max(day[w], day[w-1])
		}
	}
	return bands{
		day: func(d int) float64 { return day[min(d/7, len(day)-1)] },
		sum: func(days float64) float64 { return sum * days },
	}
}

// wideBands are those of a few days: as uncertain as they are large, and all days err together.
func wideBands(h []float64) bands {
	m, sum := mean(h[max(len(h)-7, 0):]), 0.0
	for _, v := range h {
		sum += (v - m) * (v - m)
	}
	band := z80 * max(math.Sqrt(sum/float64(len(h))), m)
	return bands{day: func(int) float64 { return band }, sum: func(days float64) float64 { return band * days }}
}

// student80 is how many standard deviations hold four times in five when the deviation itself was estimated from n
// samples: Student's quantile, by the first terms of its expansion around the normal one.
func student80(n float64) float64 {
	const z = z80
	n = max(n, 1)
	return z + (z*z*z+z)/(4*n) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*n*n) + (3*math.Pow(z, 7)+19*math.Pow(z, 5)+17*z*z*z-15*z)/(384*n*n*n)
}
