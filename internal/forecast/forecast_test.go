package forecast_test

import (
	"errors"
	"math"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/forecast"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestWeeklyPatternIsRepeated(t *testing.T) {
	t.Parallel()
	week := []float64{10, 20, 30, 40, 50, 5, 1}
	var h []float64
	for range 4 {
		h = append(h, week...)
	}
	r, err := forecast.Next(forecast.Input{History: h, Horizon: 14})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range r.Days {
		near(t, "day", d.Expected, week[i%7])
	}
	near(t, "total", r.Total.Expected, 2*156)
	near(t, "band", r.Total.High-r.Total.Low, 0)
	if r.Method != forecast.WeekdayMean || r.Wide {
		t.Errorf("method = %s, wide = %v", r.Method, r.Wide)
	}
}

func TestLittleHistoryMeansAMeanWithAWideBand(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next(forecast.Input{History: []float64{2, 4, 6}, Horizon: 3})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "day", r.Days[2].Expected, 4)
	if !r.Wide || r.Method != forecast.MeanOfWeek || r.Days[0].High < 8 {
		t.Errorf("result = %+v, want a wide weekly mean", r)
	}
}

func TestTodayIsScaled(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next(forecast.Input{History: []float64{10, 10}, Today: 8, DayGone: 0.5, Horizon: 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "today", r.Days[0].Expected, 8+5)
	if r, err = forecast.Next(forecast.Input{Today: 6, DayGone: 0.25, Horizon: 2}); err != nil {
		t.Fatal(err)
	}
	near(t, "tomorrow from today alone", r.Days[1].Expected, 24)
}

func TestNoHistory(t *testing.T) {
	t.Parallel()
	if _, err := forecast.Next(forecast.Input{DayGone: 0.5, Horizon: 3}); !errors.Is(err, forecast.ErrNoHistory) {
		t.Errorf("err = %v, want ErrNoHistory", err)
	}
}

// rising is so many days of a line with a weekly pattern.
func rising(days int, slope float64) []float64 {
	week := []float64{3, 0, 1, -2, 4, -3, -3}
	var out []float64
	for i := range days {
		out = append(out, 100+slope*float64(i)+week[i%7])
	}
	return out
}

func TestTrendIsApartFromTheWeek(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		slope float64
		want  forecast.Direction
	}{{2, forecast.Up}, {-2, forecast.Down}, {0, forecast.Flat}} {
		r, err := forecast.Next(forecast.Input{History: rising(60, tc.slope), Horizon: 30})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "slope", r.Trend.Slope, tc.slope)
		if r.Trend.Direction != tc.want {
			t.Errorf("slope %v goes %s, want %s", tc.slope, r.Trend.Direction, tc.want)
		}
	}
}

func TestALineIsFoundAndGoneOn(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next(forecast.Input{History: rising(90, 2), Horizon: 30})
	if err != nil {
		t.Fatal(err)
	}
	want := rising(120, 2)
	for i, d := range r.Days {
		near(t, "day", d.Expected, want[90+i])
	}
	if r.Method != forecast.WeekdayLine || r.Test.Error > 1e-9 || r.Test.Errors[forecast.WeekdayMean] < 0.05 || r.Test.Origins < 20 || r.Test.Days != 30 {
		t.Errorf("method %s, test %+v", r.Method, r.Test)
	}
}

func TestWhatIsScheduledComesOnTop(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next(forecast.Input{History: rising(35, 0), Horizon: 7, Extra: []float64{0, 50}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "day with jobs", r.Days[1].Expected, 100+50)
	near(t, "total", r.Total.Expected, 7*100+50)
}

func TestChanceAndDayOfPassingALimit(t *testing.T) {
	t.Parallel()
	h := rising(56, 0)
	for i := range h { // a spread that no method can foresee
		h[i] += 20 * math.Sin(float64(i*i))
	}
	r, err := forecast.Next(forecast.Input{History: h, Today: 60, DayGone: 0.5, Horizon: 10})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "chance of passing the median", r.Passing(r.Total.Expected), 0.5)
	near(t, "chance of passing the upper end", math.Round(1000*r.Passing(r.Total.High))/1000, 0.1)
	near(t, "chance of passing what is spent", r.Passing(59), 1)
	near(t, "chance of passing a fortune", r.Passing(1e9), 0)
	if day, ok := r.Exhausted(r.Days[0].Expected + r.Days[1].Expected + 1); !ok || day != 2 {
		t.Errorf("exhausted on day %d, %v; want 2", day, ok)
	}
	if _, ok := r.Exhausted(1e9); ok {
		t.Error("a fortune is exhausted")
	}
}

func TestZerosStayZero(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next(forecast.Input{History: make([]float64, 60), Horizon: 30})
	if err != nil {
		t.Fatal(err)
	}
	if r.Total != (forecast.Day{}) || r.Passing(1) != 0 || math.IsNaN(r.Trend.Slope) || r.Trend.Direction != forecast.Flat {
		t.Errorf("result = %+v", r)
	}
}
