// Package forecast says what the next days will cost by what the last ones did. It does no I/O and knows no money: it
// works on plain daily sums. The method is the one that would have been right in the past; how wrong it would have been
// is what the bands are made of.
package forecast

import (
	"errors"
	"math"
)

// Method names a way to forecast.
type Method string

// The methods.
const (
	MeanOfWeek  Method = "mean_of_last_week" // too little history for anything else; the band is wide
	WeekdayMean Method = "weekday_mean"      // the mean of the same weekday over the last four weeks
	DampedETS   Method = "damped_ets"        // exponential smoothing: level, damped trend, additive week
	WeekdayLine Method = "weekday_line"      // a straight line with a level for each weekday
)

// MinWeekday is how many complete days anything but the mean of a week needs. MinChoice is from how many on the methods
// are compared: with fewer, one lucky week would decide.
const (
	MinWeekday = 14
	MinChoice  = 28
)

// Day is one day, or a sum of days, with an interval that should hold four times in five.
type Day struct {
	Expected, Low, High float64
}

// Input is what a forecast rests on.
type Input struct {
	History []float64 // complete days, oldest first
	Today   float64   // what the present day has brought so far
	DayGone float64   // the share of the present day that has passed, 0 to 1
	Horizon int       // days to forecast, the first of them today
	Extra   []float64 // what is known to come beside what usually does, by day; may be shorter than Horizon
}

// Result is a forecast for the days after the last complete one.
type Result struct {
	Method  Method
	Days    []Day
	Total   Day  // of all days together
	History int  // complete days that it rests on
	Wide    bool // there is too little history to say much
	Test    Backtest
	Trend   Trend
	rest    float64 // what of Total is yet to come
	spread  float64 // the standard deviation of rest
}

// ErrNoHistory is returned when there is not a single complete day and nothing today.
var ErrNoHistory = errors.New("there is no history to forecast from")

// Next forecasts. Today's sum is what it has brought so far and the rest of the day as it usually is.
func Next(in Input) (Result, error) {
	h := in.History
	if len(h) == 0 {
		if in.Today == 0 || in.DayGone <= 0 {
			return Result{}, ErrNoHistory
		}
		h = []float64{in.Today / max(in.DayGone, 1.0/24)}
	}
	r := Result{Method: MeanOfWeek, History: len(in.History), Wide: len(h) < MinWeekday, Trend: trendOf(h)}
	if r.Wide {
		r.fill(in, weekMean(h), wideBands(h))
		return r, nil
	}
	c := choose(h, in.Horizon)
	r.Method, r.Test = c.method, c.test
	r.fill(in, c.expected, c.bands)
	return r, nil
}

// bands say how far off a forecast may be four times in five: that of one day, and that of the sum of so many.
type bands struct {
	day func(d int) float64
	sum func(days float64) float64
}

// z80 is the normal quantile of an interval that holds 80 %.
const z80 = 1.2816

// fill makes the days and their sum. What today has brought already is certain.
func (r *Result) fill(in Input, expected func(int) float64, b bands) {
	left := 1 - min(max(in.DayGone, 0), 1)
	if in.DayGone <= 0 {
		left = 1
	}
	for d := range in.Horizon {
		e, band, known := max(expected(d), 0), b.day(d), 0.0
		if d == 0 {
			e, band, known = e*left, band*math.Sqrt(left), in.Today
		}
		if d < len(in.Extra) {
			e += in.Extra[d]
		}
		r.Days = append(r.Days, around(known, e, band))
		r.rest += e
	}
	days := float64(in.Horizon) - 1 + left
	band := b.sum(days)
	r.spread = band / z80
	r.Total = around(in.Today, r.rest, band)
}

// around is an interval that does not reach below what is known already.
func around(known, e, band float64) Day {
	return Day{Expected: known + e, Low: known + max(e-band, 0), High: known + e + band}
}

// Passing is the chance that the sum of all days is more than left.
func (r Result) Passing(left float64) float64 {
	switch {
	case r.spread <= 0 && r.Total.Expected > left, left < r.Total.Expected-r.rest:
		return 1
	case r.spread <= 0:
		return 0
	}
	return 0.5 * math.Erfc((left-r.Total.Expected)/r.spread/math.Sqrt2)
}

// Exhausted is the day, counted from today, on which the expected sum passes left; ok is false when none does.
func (r Result) Exhausted(left float64) (day int, ok bool) {
	sum := 0.0
	for i, d := range r.Days {
		if sum += d.Expected; sum > left {
			return i, true
		}
	}
	return 0, false
}
