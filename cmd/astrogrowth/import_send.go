package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// batchSize is how many leads go in one request: as many as the API commits at once.
const batchSize = 500

// sender brings leads to the API. Sending the same lead twice is safe: the API knows the lead, and the job that would
// score it on the same grounds.
type sender struct {
	batch    func(context.Context, []batchJob) (batchResult, error)
	campaign growth.CampaignID
	pauses   []time.Duration // between one try of a batch and the next
	trouble  func(err error) // hears why a batch is tried again; err is nil when only some of its leads are

	sent sent
}

// sent says what became of the leads so far.
type sent struct {
	Accepted   int      `json:"accepted"`  // new jobs
	Unchanged  int      `json:"unchanged"` // scored already on the same grounds
	Existing   int      `json:"existing"`  // a job for the same is still under way
	Rejected   int      `json:"rejected"`  // turned down by the API
	Rejections []string `json:"rejections"`
}

func (s sent) total() int { return s.Accepted + s.Unchanged + s.Existing + s.Rejected }

// underWay says how many jobs there are to wait for.
func (s sent) underWay() int { return s.Accepted + s.Existing }

// send brings leads to the API; told hears of every batch that got through.
func (s *sender) send(ctx context.Context, leads []growth.Lead, told func(sent)) error {
	for len(leads) > 0 {
		n := min(batchSize, len(leads))
		jobs := make([]batchJob, n)
		for i, l := range leads[:n] {
			jobs[i] = batchJob{Type: growth.JobLeadQualification, Lead: l, Campaign: s.campaign}
		}
		if err := s.sendBatch(ctx, jobs); err != nil {
			return err
		}
		told(s.sent)
		leads = leads[n:]
	}
	return nil
}

// sendBatch tries again what may succeed later: the whole batch, or those of its jobs that the API could not take just
// then.
func (s *sender) sendBatch(ctx context.Context, jobs []batchJob) error {
	for try := 0; ; try++ {
		last := try == len(s.pauses)
		result, err := s.batch(ctx, jobs)
		if err == nil && len(result.Data) != len(jobs) {
			return fmt.Errorf("the API answered for %d of %d leads", len(result.Data), len(jobs))
		}
		if err == nil {
			jobs = s.count(jobs, result, last)
		}
		if err == nil && len(jobs) == 0 {
			return nil
		}
		if err != nil && (last || !growth.CodeOf(err).Retryable()) {
			return err
		}
		s.trouble(err)
		if err = pause(ctx, cmp.Or(growth.RetryAfterOf(err), s.pauses[try])); err != nil {
			return err
		}
	}
}

// count takes the results in and gives back the jobs that are worth another try, none when there will be none.
func (s *sender) count(jobs []batchJob, result batchResult, last bool) []batchJob {
	var again []batchJob
	for _, r := range result.Data {
		switch r.Status {
		case "accepted":
			s.sent.Accepted++
		case "unchanged":
			s.sent.Unchanged++
		case "existing", "replayed":
			s.sent.Existing++
		default:
			if r.Index < 0 || r.Index >= len(jobs) {
				continue
			}
			job := jobs[r.Index]
			if !last && r.Error != nil && growth.ParseCode(r.Error.Code).Retryable() {
				again = append(again, job)
				continue
			}
			s.reject(job.Lead, r.Error)
		}
	}
	return again
}

func (s *sender) reject(l growth.Lead, problem *fault) {
	s.sent.Rejected++
	if len(s.sent.Rejections) >= someLines {
		return
	}
	why := "no reason was given"
	if problem != nil {
		why = problem.Message
	}
	s.sent.Rejections = append(s.sent.Rejections, fmt.Sprintf("%q: %s", cmp.Or(l.BusinessName, l.ContactName, l.Email, l.ExternalID), why))
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &growth.Error{Code: growth.Canceled, Message: "interrupted", Err: context.Cause(ctx)}
	}
}
