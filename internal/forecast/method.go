package forecast

import "math"

// fitted is a method that has looked at a history: day 0 is the one after the history's last.
type fitted func(d int) float64

// seasonal counts back from the end of a history of n days: which of the seven weekdays day i is.
func seasonal(i, n int) int { return ((i-n)%7 + 7) % 7 }

func weekMean(h []float64) func(int) float64 {
	m := mean(h[max(len(h)-7, 0):])
	return func(int) float64 { return m }
}

func mean(h []float64) float64 {
	sum := 0.0
	for _, v := range h {
		sum += v
	}
	return sum / float64(max(len(h), 1))
}

// weekdayMean averages the same weekday over the last four weeks.
func weekdayMean(h []float64) fitted {
	var week [7]float64
	for w := range week {
		sum, n := 0.0, 0.0
		for back := 7 - w; back <= min(28, len(h)); back += 7 {
			sum += h[len(h)-back]
			n++
		}
		week[w] = sum / max(n, 1)
	}
	return func(d int) float64 { return week[d%7] }
}

// lineDays is how far back a line looks: a growth that lasts shows in six weeks, and one that has ended is forgotten.
const lineDays = 42

// weekdayLine lays one slope through all days and a level through each weekday. Within a weekday the slope is that of
// plain least squares, so no system of equations has to be solved.
func weekdayLine(h []float64) fitted {
	h = h[max(len(h)-lineDays, 0):]
	n := len(h)
	day, level, slope := lineOf(h)
	return func(d int) float64 {
		w := d % 7
		return level[w] + slope*(float64(n+d)-day[w])
	}
}

// lineOf gives the mean day and level of each weekday, and the slope that they share.
func lineOf(h []float64) (day, level [7]float64, slope float64) {
	n := len(h)
	var count [7]float64
	for i, y := range h {
		w := seasonal(i, n)
		day[w], level[w], count[w] = day[w]+float64(i), level[w]+y, count[w]+1
	}
	for w := range count {
		day[w], level[w] = day[w]/max(count[w], 1), level[w]/max(count[w], 1)
	}
	var xy, xx float64
	for i, y := range h {
		w := seasonal(i, n)
		x := float64(i) - day[w]
		xy, xx = xy+x*(y-level[w]), xx+x*x
	}
	if xx > 0 {
		slope = xy / xx
	}
	return day, level, slope
}

// smoothing are the parameters of exponential smoothing: of the level, the trend and the week, and how much of the trend
// is left after each day.
type smoothing struct{ level, trend, week, damp float64 }

// smoothings are the parameters that are tried; the fit takes those that were least wrong one day ahead.
var smoothings = func() []smoothing {
	var out []smoothing
	for _, level := range []float64{0.02, 0.05, 0.1, 0.2, 0.4} {
		for _, week := range []float64{0.05, 0.15} {
			out = append(out, smoothing{level: level, week: week, damp: 0.9})
			for _, trend := range []float64{0.05, 0.15} {
				for _, damp := range []float64{0.9, 0.98} {
					out = append(out, smoothing{level, trend, week, damp})
				}
			}
		}
	}
	return out
}()

// smoothed is where exponential smoothing stands at the end of a history.
type smoothed struct {
	level, trend float64
	week         [7]float64
	wrong        float64 // squared errors one day ahead
}

func dampedETS(h []float64) fitted {
	best, with := smoothed{wrong: math.Inf(1)}, smoothing{}
	for _, p := range smoothings {
		if s := smooth(h, p); s.wrong < best.wrong {
			best, with = s, p
		}
	}
	return func(d int) float64 {
		// damp + damp² + … over d+1 days
		trend := with.damp * (1 - math.Pow(with.damp, float64(d+1))) / (1 - with.damp)
		return best.level + trend*best.trend + best.week[d%7]
	}
}

// smooth begins with the first two weeks' mean and pattern, and judges from the third week on where there is one.
func smooth(h []float64, p smoothing) smoothed {
	n, first := len(h), min(14, len(h))
	s := smoothed{level: mean(h[:first])}
	var count [7]float64
	for i := range first {
		w := seasonal(i, n)
		s.week[w], count[w] = s.week[w]+h[i]-s.level, count[w]+1
	}
	for w := range count {
		s.week[w] /= max(count[w], 1)
	}
	for i, y := range h {
		w := seasonal(i, n)
		e := y - (s.level + p.damp*s.trend + s.week[w])
		if i >= first || n <= first {
			s.wrong += e * e
		}
		s.level += p.damp*s.trend + p.level*e
		s.trend = p.damp*s.trend + p.level*p.trend*e
		s.week[w] += p.week * (1 - p.level) * e
	}
	return s
}

// Direction says where a series goes.
type Direction string

// The directions. Flat: what slope there is could be chance.
const (
	Up   Direction = "up"
	Down Direction = "down"
	Flat Direction = "flat"
)

// Trend is how a series has changed over its last four weeks, the weekdays' own levels apart.
type Trend struct {
	Slope     float64 // per day
	Direction Direction
}

// trendOf calls a slope a direction when it is more than twice its own standard error.
func trendOf(h []float64) Trend {
	h = h[max(len(h)-28, 0):]
	if len(h) < MinWeekday { // a week and a half has no weekdays to set apart
		return Trend{Direction: Flat}
	}
	day, level, slope := lineOf(h)
	var off, xx float64
	for i, y := range h {
		w := seasonal(i, len(h))
		x := float64(i) - day[w]
		e := y - level[w] - slope*x
		off, xx = off+e*e, xx+x*x
	}
	t := Trend{Slope: slope, Direction: Flat}
	wrong := math.Sqrt(off / float64(max(len(h)-8, 1)) / xx)
	switch {
	case slope > 2*wrong && slope > 0:
		t.Direction = Up
	case slope < -2*wrong && slope < 0:
		t.Direction = Down
	}
	return t
}
