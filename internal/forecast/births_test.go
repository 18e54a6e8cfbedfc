package forecast_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/forecast"
)

// births is a long series of daily numbers with a strong week, slow seasons and holidays: a stand-in for daily cost.
func births(t *testing.T) []float64 {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("ASTROGROWTH_TESTDATA is not set: it names the folder with the test data")
	}
	f, err := os.Open(filepath.Join(dir, "forecast_daily_us_births_2000_2014.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// record is how a forecast of 30 days did over many origins.
type record struct {
	errors       []float64 // of the sums, as shares
	held         int       // sums inside their interval
	days, inside int
	methods      map[forecast.Method]int
}

func (r record) mean() float64 {
	sum := 0.0
	for _, e := range r.errors {
		sum += e
	}
	return sum / float64(len(r.errors))
}

func (r record) nineInTen() float64 {
	s := slices.Sorted(slices.Values(r.errors))
	return s[len(s)*9/10-1]
}

const (
	origins = 300
	ahead   = 30
	longest = 400
)

// overOrigins forecasts from 300 days spread over the whole series, knowing so many days before each. growth lets the
// series grow by a share each day.
func overOrigins(t *testing.T, series []float64, known int, growth float64) record {
	t.Helper()
	r := record{methods: map[forecast.Method]int{}}
	for o := range origins {
		at := longest + o*(len(series)-longest-ahead)/(origins-1)
		window := slices.Clone(series[at-known : at+ahead])
		for i := range window {
			window[i] *= math.Pow(1+growth, float64(i))
		}
		f, err := forecast.Next(forecast.Input{History: window[:known], Horizon: ahead})
		if err != nil {
			t.Fatal(err)
		}
		r.add(f, window[known:])
	}
	return r
}

func (r *record) add(f forecast.Result, came []float64) {
	sum := 0.0
	for i, v := range came {
		sum += v
		r.days++
		if d := f.Days[i]; v >= d.Low && v <= d.High {
			r.inside++
		}
	}
	r.errors = append(r.errors, math.Abs(f.Total.Expected/sum-1))
	if sum >= f.Total.Low && sum <= f.Total.High {
		r.held++
	}
	r.methods[f.Method]++
}

func TestThirtyDaySumsOfBirths(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of volume, left out with -short")
	}
	series := births(t)
	for _, known := range []int{28, 42, 56, 90, 180, 365} {
		r := overOrigins(t, series, known, 0)
		held, inside := float64(r.held)/origins, float64(r.inside)/float64(r.days)
		t.Logf("%d days of history: mean error %.2f %%, 9 in 10 within %.2f %%, the interval held %.0f %% of the sums and %.0f %% of the days; %v",
			known, r.mean()*100, r.nineInTen()*100, held*100, inside*100, r.methods)
		if r.mean() > 0.025 || r.nineInTen() > 0.045 {
			t.Errorf("%d days of history: mean error %.4f, 9 in 10 within %.4f; want at most 0.025 and 0.045", known, r.mean(), r.nineInTen())
		}
		if held < 0.70 || held > 0.90 || inside < 0.70 || inside > 0.90 {
			t.Errorf("%d days of history: the 80 %% interval held %.2f of the sums and %.2f of the days; want 0.70 to 0.90", known, held, inside)
		}
	}
}

func TestGrowthIsSeenBetterThanByTheWeekdayMean(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of volume, left out with -short")
	}
	series := births(t)
	for _, known := range []int{28, 56, 90, 180} {
		r := overOrigins(t, series, known, 0.01)
		plain := weekdayMeans(series, known, 0.01)
		t.Logf("%d days of history: mean error %.2f %%, of the weekday mean %.2f %%; %v", known, r.mean()*100, plain*100, r.methods)
		if r.mean() >= plain*0.75 {
			t.Errorf("%d days of history: mean error %.3f; want well below the %.3f of the weekday mean", known, r.mean(), plain)
		}
	}
}

// weekdayMeans is the mean error of the weekday mean over the same origins, worked out here and not by the package.
func weekdayMeans(series []float64, known int, growth float64) float64 {
	total := 0.0
	for o := range origins {
		at := longest + o*(len(series)-longest-ahead)/(origins-1)
		value := func(i int) float64 { return series[at-known+i] * math.Pow(1+growth, float64(i)) }
		var expected, came float64
		for d := range ahead {
			came += value(known + d)
			for week := range 4 {
				expected += value(known-28+d%7+7*week) / 4
			}
		}
		total += math.Abs(expected/came - 1)
	}
	return total / origins
}

func TestAStraightLineIsNeverChosenUnderFourteenDays(t *testing.T) {
	t.Parallel()
	series := births(t)
	for known := 1; known < forecast.MinChoice; known++ {
		r := overOrigins(t, series, known, 0.05) // however steep it looks
		want := forecast.WeekdayMean
		if known < forecast.MinWeekday {
			want = forecast.MeanOfWeek
		}
		if r.methods[want] != origins {
			t.Errorf("%d days of history: %v; want %s alone", known, r.methods, want)
		}
	}
}
