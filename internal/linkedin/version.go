package linkedin

import (
	"fmt"
	"time"
)

// DefaultVersion is the version of the API that is asked for when nobody chooses another.
const DefaultVersion = "202608"

// warnAhead is how long before its sunset a version is a warning.
const warnAhead = 60 * 24 * time.Hour

// sunsets are the days on which LinkedIn said that a version stops. Each stops every call at once, without a header
// that would have announced it.
var sunsets = map[string]time.Time{
	"202510": dateOf(2026, 10, 15), "202511": dateOf(2026, 11, 16), "202601": dateOf(2027, 1, 15), "202602": dateOf(2027, 2, 15),
	"202603": dateOf(2027, 3, 16), "202604": dateOf(2027, 4, 15), "202605": dateOf(2027, 5, 15), "202606": dateOf(2027, 6, 15),
	"202607": dateOf(2027, 7, 15),
}

func dateOf(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// Sunset is the day on which a version stops working. announced is false where LinkedIn has not said so and the day is
// what its other versions lead to expect: the middle of its month, a year on.
func Sunset(version string) (at time.Time, announced bool) {
	if at, known := sunsets[version]; known {
		return at, true
	}
	month, err := time.Parse("200601", version)
	if err != nil {
		return time.Time{}, false
	}
	return month.AddDate(1, 0, 14), false
}

// VersionWarning says what is wrong with a version, or soon will be: from 60 days before its sunset on. It is empty when
// nothing is.
func VersionWarning(version string, now time.Time) string {
	at, announced := Sunset(version)
	word := "LinkedIn has announced it"
	if !announced {
		word = "judged by earlier versions"
	}
	date := at.Format(time.DateOnly)
	switch left := at.Sub(now); {
	case at.IsZero():
		return "LINKEDIN_VERSION " + version + " is no year and month"
	case left <= 0:
		return fmt.Sprintf("LINKEDIN_VERSION %s stopped working on %s (%s): set a newer one", version, date, word)
	case left <= warnAhead:
		return fmt.Sprintf("LINKEDIN_VERSION %s stops working on %s, in %d days (%s): set a newer one", version, date, int(left.Hours()/24), word)
	}
	return ""
}
