// Package forecast says what the next days will cost by what the last ones did. It does no I/O and knows no money: it
// works on plain daily sums.
package forecast

import (
	"errors"
	"math"
)

// Methods of a forecast.
const (
	MeanOfWeek = "mean_of_last_week" // too little history for anything else; the band is wide
	WeekdayAvg = "weekday_mean"      // the mean of the same weekday over the last weeks
)

// MinWeekday is how many complete days a weekday mean needs.
const MinWeekday = 14

// Day is one day of a forecast with an interval that should hold four times in five.
type Day struct {
	Expected, Low, High float64
}

// Result is a forecast for the days after the last complete one.
type Result struct {
	Method  string
	Days    []Day
	Total   Day  // of all days together
	History int  // complete days that it rests on
	Wide    bool // there is too little history to say much
}

// ErrNoHistory is returned when there is not a single complete day and nothing today.
var ErrNoHistory = errors.New("there is no history to forecast from")

// Next forecasts horizon days, the first of them today. history holds complete days, oldest first; today is what the
// present day has brought so far and dayGone the share of it that has passed (0 to 1).
func Next(history []float64, today, dayGone float64, horizon int) (Result, error) {
	if len(history) == 0 {
		if today == 0 || dayGone <= 0 {
			return Result{}, ErrNoHistory
		}
		history = []float64{today / max(dayGone, 1.0/24)}
	}
	r := Result{Method: MeanOfWeek, History: len(history), Wide: len(history) < MinWeekday}
	expected := weekMean(history)
	if len(history) >= MinWeekday {
		r.Method = WeekdayAvg
		expected = weekdayMean(history)
	}
	spread := deviation(history, expected)
	if r.Wide {
		spread = max(spread, expected(0)) // as uncertain as it is large
	}
	const z80 = 1.2816 // the normal quantile of an interval that holds 80 %
	for d := range horizon {
		e := expected(d)
		if d == 0 && dayGone > 0 { // today: what is known, and the rest as expected
			e = today + e*(1-dayGone)
		}
		r.Days = append(r.Days, Day{Expected: e, Low: max(e-z80*spread, 0), High: e + z80*spread})
		r.Total.Expected += e
	}
	// Days err partly together: between independent (root of n) and as one (n), the middle is kept.
	n := float64(horizon)
	band := z80 * spread * (math.Sqrt(n) + n) / 2
	r.Total.Low, r.Total.High = max(r.Total.Expected-band, 0), r.Total.Expected+band
	return r, nil
}

func weekMean(h []float64) func(int) float64 {
	h = h[max(len(h)-7, 0):]
	sum := 0.0
	for _, v := range h {
		sum += v
	}
	m := sum / float64(len(h))
	return func(int) float64 { return m }
}

// weekdayMean averages the same weekday over the last four weeks. Day 0 is the day after the history's last.
func weekdayMean(h []float64) func(int) float64 {
	return func(d int) float64 {
		sum, n := 0.0, 0.0
		for back := 7 - d%7; back <= min(28, len(h)); back += 7 {
			sum += h[len(h)-back]
			n++
		}
		return sum / max(n, 1)
	}
}

// deviation is the root mean square distance of the last four weeks from what the method would have said.
func deviation(h []float64, expected func(int) float64) float64 {
	h = h[max(len(h)-28, 0):]
	sum := 0.0
	for i, v := range h {
		d := v - expected((7-(len(h)-i)%7)%7)
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(h)))
}

// Slope is the least-squares growth per day of the last days.
func Slope(h []float64) float64 {
	n := float64(len(h))
	if n < 2 {
		return 0
	}
	var sx, sy, sxx, sxy float64
	for i, y := range h {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
