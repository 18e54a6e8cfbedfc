package store

import (
	"cmp"
	"slices"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Speed is how long the answered requests of a group took, in milliseconds to three significant digits.
type Speed struct {
	By  SpeedBy
	Key string
	P50 float64
	P95 float64
	P99 float64
	Avg float64
	N   int64
}

// SpeedBy is what requests are grouped by.
type SpeedBy string

// The groups of requests.
const (
	SpeedTotal    SpeedBy = "total"
	SpeedProvider SpeedBy = "provider"
	SpeedModel    SpeedBy = "model" // provider/model
	SpeedTask     SpeedBy = "task_type"
	SpeedCampaign SpeedBy = "campaign" // an empty key: no campaign
)

// latencies are how many requests of a group took how long, the shortest time first.
type latencies struct {
	Provider string            `db:"provider"`
	Model    string            `db:"model"`
	Task     growth.TaskType   `db:"task_type"`
	Campaign growth.CampaignID `db:"campaign_id"`
	MS       pq.Int64Array     `db:"ms"`
	Calls    pq.Int64Array     `db:"calls"`
}

type speedKey struct {
	by  SpeedBy
	key string
}

// speedsOf adds the latencies of every group up in each way of grouping. The days of a group first: there are many.
func speedsOf(rows []latencies) []Speed {
	type group struct {
		provider, model string
		task            growth.TaskType
		campaign        growth.CampaignID
	}
	groups := map[group]map[int64]int64{}
	for _, r := range rows {
		g := group{r.Provider, r.Model, r.Task, r.Campaign}
		if groups[g] == nil {
			groups[g] = map[int64]int64{}
		}
		sum := groups[g]
		for i, ms := range r.MS {
			sum[ms] += r.Calls[i]
		}
	}
	sums := map[speedKey]map[int64]int64{}
	for g, sum := range groups {
		for _, k := range []speedKey{
			{SpeedTotal, ""},
			{SpeedProvider, g.provider},
			{SpeedModel, g.provider + "/" + g.model},
			{SpeedTask, string(g.task)},
			{SpeedCampaign, string(g.campaign)},
		} {
			if sums[k] == nil {
				sums[k] = map[int64]int64{}
			}
			for ms, n := range sum {
				sums[k][ms] += n
			}
		}
	}
	out := make([]Speed, 0, len(sums))
	for k, sum := range sums {
		out = append(out, speedOf(k, sum))
	}
	slices.SortFunc(out, func(a, b Speed) int { return cmp.Or(cmp.Compare(a.By, b.By), cmp.Compare(a.Key, b.Key)) })
	return out
}

// speedOf takes each percentile as the time within which so many of a hundred requests had ended.
func speedOf(k speedKey, sum map[int64]int64) Speed {
	s := Speed{By: k.by, Key: k.key}
	times, all := make([]int64, 0, len(sum)), 0.0
	for ms, n := range sum {
		times, s.N, all = append(times, ms), s.N+n, all+float64(ms)*float64(n)
	}
	slices.Sort(times)
	s.Avg = all / float64(s.N)
	upto := int64(0)
	for _, ms := range times {
		before := float64(upto) / float64(s.N)
		upto += sum[ms]
		after := float64(upto) / float64(s.N)
		for _, q := range []struct {
			at   float64
			into *float64
		}{{0.50, &s.P50}, {0.95, &s.P95}, {0.99, &s.P99}} {
			if before < q.at && after >= q.at {
				*q.into = float64(ms)
			}
		}
	}
	return s
}
