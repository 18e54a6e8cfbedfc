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
	r, err := forecast.Next(h, 0, 0, 14)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range r.Days {
		near(t, "day", d.Expected, week[i%7])
	}
	near(t, "total", r.Total.Expected, 2*156)
	near(t, "band", r.Total.High-r.Total.Low, 0)
	if r.Method != forecast.WeekdayAvg || r.Wide {
		t.Errorf("method = %s, wide = %v", r.Method, r.Wide)
	}
}

func TestLittleHistoryMeansAMeanWithAWideBand(t *testing.T) {
	t.Parallel()
	r, err := forecast.Next([]float64{2, 4, 6}, 0, 0, 3)
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
	r, err := forecast.Next([]float64{10, 10}, 8, 0.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "today", r.Days[0].Expected, 8+5)
	if r, err = forecast.Next(nil, 6, 0.25, 2); err != nil {
		t.Fatal(err)
	}
	near(t, "tomorrow from today alone", r.Days[1].Expected, 24)
}

func TestNoHistory(t *testing.T) {
	t.Parallel()
	if _, err := forecast.Next(nil, 0, 0.5, 3); !errors.Is(err, forecast.ErrNoHistory) {
		t.Errorf("err = %v, want ErrNoHistory", err)
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	near(t, "slope", forecast.Slope([]float64{1, 3, 5, 7}), 2)
	near(t, "slope of one day", forecast.Slope([]float64{4}), 0)
}
